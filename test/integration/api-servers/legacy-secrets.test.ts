// Legacy tokens on a real kube-apiserver and a real kube-controller-manager: who has them, and how they are minted anew.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KubeCluster } from '../../../src/api-servers/cluster.ts';
import { KubeClient } from '../../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../../src/api-servers/kube-config.ts';
import { KubeLegacySecrets } from '../../../src/api-servers/legacy-secrets.ts';
import { applyManifest } from '../../../src/demo/control-plane/apply-manifest.ts';
import type { LegacyToken } from '../../../src/rotation/observation.ts';
import { startSingleApiServer, type SingleApiServer } from '../../fixtures/single-api-server.ts';

let server: SingleApiServer;
let manager: Awaited<ReturnType<SingleApiServer['startControllerManager']>>;
let client: KubeClient;
let secrets: KubeLegacySecrets;
let formerKid: string;

/** As the workloads of this file need them. */
const controllers = [
  'serviceaccount-token-controller',
  'serviceaccount-controller',
  'deployment-controller',
  'replicaset-controller',
  'job-controller',
  'cronjob-controller',
].join();
const today = () => new Date().toISOString().slice(0, 10);

beforeAll(async () => {
  server = await startSingleApiServer();
  await applyManifest(await server.kubeConfig('admin'), 'deploy/rbac.yaml');
  await applyManifest(await server.kubeConfig('admin'), 'deploy/rbac-refresh.yaml');
  manager = await server.startControllerManager({ controllers });
  client = new KubeClient(await loadKubeConfig(await server.kubeConfig('keyturn')));
  secrets = new KubeLegacySecrets({ client });
  await create('/api/v1/namespaces', { metadata: { name: 'ci' } });
  await create('/api/v1/namespaces/ci/serviceaccounts', { metadata: { name: 'agent' } });
  formerKid = (await makeToken('first')).kid;
});
afterAll(() => server?.stop());

async function create(path: string, body: unknown): Promise<void> {
  const answer = await server.asAdmin('POST', path, body);
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
}

/** A Secret as people make it; settles when the controller manager has filled it. */
async function makeToken(name: string, more: object = {}): Promise<LegacyToken> {
  await create('/api/v1/namespaces/ci/secrets', {
    type: 'kubernetes.io/service-account-token',
    metadata: { name, annotations: { 'kubernetes.io/service-account.name': 'agent' } },
    ...more,
  });
  return until(() => find(name));
}

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (const deadline = Date.now() + 30_000; ; await sleep(50)) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error('it did not come');
  }
}

async function find(name: string): Promise<LegacyToken | undefined> {
  const { tokens } = await new KubeCluster({ client }).legacyTokens();
  return tokens.find((token) => token.name === name);
}

/** What the consumer of the Secret reads. */
async function readToken(name: string): Promise<string> {
  const { body } = await server.asAdmin('GET', `/api/v1/namespaces/ci/secrets/${name}`);
  return Buffer.from((body as { data: { token: string } }).data.token, 'base64').toString();
}

/** HTTP status of a request with this token and nothing else. */
async function use(token: string): Promise<number> {
  const call = {
    verb: 'create',
    path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
    resource: 'selfsubjectreviews.authentication.k8s.io',
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
  } as const;
  return (await client.send(call, { bearerToken: token })).status;
}

describe('who has a legacy token', () => {
  const container = { name: 'c', image: 'none' };
  const podsOf = async () => {
    const { body } = await server.asAdmin('GET', '/api/v1/namespaces/ci/pods');
    return (body as { items: { metadata: { name: string; ownerReferences?: { kind: string }[] } }[] }).items;
  };

  test('is told by pods with their workloads, by templates, and by ServiceAccounts', async () => {
    const mounting = (spec: object) => ({
      metadata: { labels: { app: 'web' } },
      spec: { containers: [container], ...spec },
    });
    const volumes = [{ name: 'token', secret: { secretName: 'first' } }];
    await create('/apis/apps/v1/namespaces/ci/deployments', {
      metadata: { name: 'web' },
      spec: { replicas: 2, selector: { matchLabels: { app: 'web' } }, template: mounting({ volumes }) },
    });
    await create('/apis/apps/v1/namespaces/ci/deployments', {
      metadata: { name: 'asleep' },
      spec: { replicas: 0, selector: { matchLabels: { app: 'web' } }, template: mounting({ volumes }) },
    });
    const jobTemplate = { spec: { template: { spec: { containers: [container], restartPolicy: 'Never', volumes } } } };
    await create('/apis/batch/v1/namespaces/ci/cronjobs', {
      metadata: { name: 'nightly' },
      spec: { schedule: '0 0 1 1 *', suspend: true, jobTemplate },
    });
    await create('/apis/batch/v1/namespaces/ci/jobs', { metadata: { name: 'once' }, spec: jobTemplate.spec });
    const pod = (name: string, spec: object) =>
      create('/api/v1/namespaces/ci/pods', { metadata: { name }, spec: { containers: [container], ...spec } });
    const secretKeyRef = { name: 'first', key: 'token' };
    await pod('env', { containers: [{ ...container, env: [{ name: 'TOKEN', valueFrom: { secretKeyRef } }] }] });
    await pod('env-from', {
      initContainers: [{ ...container, name: 'i', envFrom: [{ secretRef: { name: 'first' } }] }],
    });
    await pod('projected', { volumes: [{ name: 'p', projected: { sources: [{ secret: { name: 'first' } }] } }] });
    await pod('pulling', { imagePullSecrets: [{ name: 'first' }] });
    await pod('of-another-secret', { volumes: [{ name: 's', secret: { secretName: 'other' } }] });
    await pod('finished', { volumes });
    const finished = { status: { phase: 'Succeeded' } };
    expect((await server.asAdmin('PATCH', '/api/v1/namespaces/ci/pods/finished/status', finished)).status).toBe(200);
    await server.asAdmin('PATCH', '/api/v1/namespaces/ci/serviceaccounts/agent', {
      secrets: [{ name: 'first' }],
      imagePullSecrets: [{ name: 'first' }],
    });
    await until(async () =>
      (await podsOf()).filter(({ metadata }) => metadata.ownerReferences).length === 3 ? true : undefined,
    );

    const { references } = (await find('first')) ?? {};
    const words = references?.map(
      ({ kind, name, how, running }) => `${kind} ${name} ${how}${running ? ' running' : ''}`,
    );
    expect(words?.toSorted()).toEqual([
      'CronJob nightly volume',
      'Deployment asleep volume',
      'Deployment web volume running',
      'Job once volume running',
      'Pod env env running',
      'Pod env-from env running',
      'Pod projected volume running',
      'Pod pulling imagePullSecrets running',
      'ServiceAccount agent imagePullSecrets',
      'ServiceAccount agent secrets',
    ]);
  });

  test('is looked for in the whole cluster where the Secrets are in many namespaces', async () => {
    for (const name of ['n1', 'n2', 'n3', 'n4', 'n5']) {
      await create('/api/v1/namespaces', { metadata: { name } });
      await create(`/api/v1/namespaces/${name}/serviceaccounts`, { metadata: { name: 'agent' } });
      await create(`/api/v1/namespaces/${name}/secrets`, {
        type: 'kubernetes.io/service-account-token',
        metadata: { name: `of-${name}`, annotations: { 'kubernetes.io/service-account.name': 'agent' } },
      });
      await until(() => find(`of-${name}`));
    }
    const volumes = [{ name: 's', secret: { secretName: 'of-n3' } }];
    await create('/api/v1/namespaces/n3/pods', { metadata: { name: 'p' }, spec: { containers: [container], volumes } });
    expect((await find('of-n3'))?.references).toEqual([{ kind: 'Pod', name: 'p', how: 'volume', running: true }]);
    expect((await find('of-n4'))?.references).toEqual([]);
    expect((await find('first'))?.references).toHaveLength(10);
  });

  test('is not known without the right to look, and says so', async () => {
    const path = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/keyturn-legacy-token-references';
    const { body } = await server.asAdmin('GET', path);
    await server.asAdmin('DELETE', path);
    const cluster = new KubeCluster({ client });
    const unknown = await until(async () => (await cluster.legacyTokens()).referencesUnknown ?? undefined);
    expect(unknown).toContain('Keyturn may not list pods');
    expect((await cluster.legacyTokens()).tokens.every(({ references }) => references === null)).toBe(true);
    const { metadata, ...binding } = body as { metadata: { name: string } };
    await create('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      ...binding,
      metadata: { name: metadata.name },
    });
    await until(async () => ((await cluster.legacyTokens()).referencesUnknown === null ? true : undefined));
  });
});

describe('the use of a legacy token', () => {
  test('is noted by the API server with the day, and so is since when it notes', async () => {
    expect(await find('first')).toMatchObject({ kid: formerKid, lastUsed: null, serviceAccount: 'agent' });
    expect(await use(await readToken('first'))).toBe(201);
    expect(await find('first')).toMatchObject({ lastUsed: today() });
    expect((await new KubeCluster({ client }).legacyTokens()).trackedSince).toBe(today());
  });

  test('is not known without the right to see since when it is noted', async () => {
    const nobody = new KubeClient(await loadKubeConfig(await server.kubeConfig('nobody')));
    const path = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings';
    await create(path, {
      metadata: { name: 'nobody-lists' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'keyturn' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'nobody' }],
    });
    const observed = await until(() => new KubeCluster({ client: nobody }).legacyTokens().catch(() => undefined));
    expect(observed.trackedSince).toBeNull();
    await server.asAdmin('DELETE', `${path}/nobody-lists`);
  });
});

describe('what the policy refresh needs', () => {
  test('is asked for only where it is the policy', async () => {
    const path = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/keyturn-refresh';
    const { body } = await server.asAdmin('GET', path);
    await server.asAdmin('DELETE', path);
    const cluster = new KubeCluster({ client });
    const missing = async (...policies: Parameters<KubeCluster['missingPermissions']>) =>
      (await cluster.missingPermissions(...policies)).map(({ subject }) => subject);
    const all = ['create secrets', 'get secrets', 'patch secrets', 'delete secrets'];
    await until(async () => ((await missing('refresh')).length === 4 ? true : undefined));
    expect(await missing('refresh')).toEqual(all);
    expect(await missing('hold')).toEqual([]);
    const overrides = [
      { namespace: 'ci', policy: 'refresh' },
      { namespace: 'ci', secret: 'first', policy: 'refresh' },
      { namespace: 'other', policy: 'keep' },
    ] as const;
    expect(await missing({ default: 'hold', overrides })).toEqual(all.map((each) => `${each} in namespace ci`));
    const [problem] = await cluster.missingPermissions('refresh');
    expect(problem?.message).toContain('Apply deploy/rbac-refresh.yaml');
    const { metadata, ...binding } = body as { metadata: { name: string } };
    await create('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      ...binding,
      metadata: { name: metadata.name },
    });
    await until(async () => ((await missing('refresh')).length === 0 ? true : undefined));
  });
});

describe('with a controller manager that has the new key', () => {
  let nextKid: string;
  beforeAll(async () => {
    await manager.signal('SIGTERM');
    manager = await server.startControllerManager({ controllers, signer: 2 });
    nextKid = (await makeToken('of-the-new-key')).kid;
    expect(nextKid).not.toBe(formerKid);
  });

  const conflictingWith = (write: () => Promise<unknown>): KubeLegacySecrets => {
    class Interrupted extends KubeClient {
      override async call(...args: Parameters<KubeClient['call']>) {
        if (args[0].verb === 'patch') await write();
        return super.call(...args);
      }
    }
    return new KubeLegacySecrets({ client: new Interrupted(kubeConfig) });
  };
  let kubeConfig: Awaited<ReturnType<typeof loadKubeConfig>>;
  beforeAll(async () => {
    kubeConfig = await loadKubeConfig(await server.kubeConfig('keyturn'));
  });

  test('a second Secret has a token of the same ServiceAccount; the first one’s goes on; asked twice, it is made once', async () => {
    const first = (await find('first'))!;
    const before = await readToken('first');
    expect(await secrets.mintSuccessor(first, 'abc12345')).toEqual({ name: 'first-abc12345', kid: nextKid });
    const second = await readToken('first-abc12345');
    expect([await use(before), await use(second)]).toEqual([201, 201]);
    expect(await secrets.mintSuccessor(first, 'abc12345')).toEqual({ name: 'first-abc12345', kid: nextKid });
    expect(await readToken('first-abc12345')).toBe(second);
    expect(await find('first-abc12345')).toMatchObject({
      kid: nextKid,
      serviceAccount: 'agent',
      successorOf: 'first',
      rotationId: 'abc12345',
      references: [],
    });
    const { body } = await server.asAdmin('GET', '/api/v1/namespaces/ci/secrets/first-abc12345');
    expect((body as { metadata: { labels: unknown } }).metadata.labels).toMatchObject({
      'app.kubernetes.io/managed-by': 'keyturn',
      'app.kubernetes.io/component': 'legacy-token-successor',
    });
  });

  test('the successor of a successor takes its place in the name', async () => {
    const successor = (await find('first-abc12345'))!;
    expect(await secrets.mintSuccessor(successor, 'def67890')).toMatchObject({ name: 'first-def67890' });
    await secrets.remove({ namespace: 'ci', name: 'first-def67890' });
  });

  test('a Secret of that name which is somebody else’s is left alone', async () => {
    await create('/api/v1/namespaces/ci/secrets', { metadata: { name: 'first-taken' }, stringData: { key: 'theirs' } });
    await expect(secrets.mintSuccessor((await find('first'))!, 'taken')).rejects.toMatchObject({
      code: 'API_SERVER_UNEXPECTED',
      subject: 'ci/first-taken',
    });
    expect((await server.asAdmin('GET', '/api/v1/namespaces/ci/secrets/first-taken')).status).toBe(200);
  });

  test('in place, the former token dies at once and the new one is in the same Secret; a second time nothing happens', async () => {
    await manager.signal('SIGTERM');
    const former = await server.startControllerManager({ controllers });
    await makeToken('in-place', {
      metadata: {
        name: 'in-place',
        labels: { keep: 'me' },
        annotations: { 'kubernetes.io/service-account.name': 'agent', also: 'kept' },
      },
    });
    await former.signal('SIGTERM');
    manager = await server.startControllerManager({ controllers, signer: 2 });
    const before = await readToken('in-place');
    expect(await use(before)).toBe(201);

    expect(await secrets.remint({ namespace: 'ci', name: 'in-place' }, nextKid, 'abc12345')).toBe(nextKid);
    const after = await readToken('in-place');
    expect(await use(after)).toBe(201);
    // An API server remembers for 10 s that it accepted a token.
    await until(async () => ((await use(before)) === 401 ? true : undefined));
    expect(await find('in-place')).toMatchObject({ kid: nextKid, successorOf: null, rotationId: 'abc12345' });
    expect(await secrets.remint({ namespace: 'ci', name: 'in-place' }, nextKid, 'another')).toBe(nextKid);
    expect(await readToken('in-place')).toBe(after);
    const { body } = await server.asAdmin('GET', '/api/v1/namespaces/ci/secrets/in-place');
    const { metadata } = body as { metadata: { labels: object; annotations: object } };
    expect(metadata).toMatchObject({ labels: { keep: 'me' }, annotations: { also: 'kept' } });
  });

  test('its key is told, whichever it is, and the note of the rotation comes off again', async () => {
    expect(await secrets.remint({ namespace: 'ci', name: 'in-place' }, formerKid, null)).toBe(nextKid);
    expect(await find('in-place')).toMatchObject({ kid: nextKid, rotationId: null });
  });

  test('somebody who writes meanwhile is not overwritten: it is read anew', async () => {
    let writes = 0;
    const annotate = () =>
      server.asAdmin('PATCH', '/api/v1/namespaces/ci/secrets/in-place', {
        metadata: { annotations: { theirs: `${(writes += 1)}` } },
      });
    const twice = conflictingWith(async () => (writes < 2 ? annotate() : undefined));
    expect(await twice.remint({ namespace: 'ci', name: 'in-place' }, formerKid, 'abc12345')).toBe(nextKid);
    expect(writes).toBe(2);
    const { body } = await server.asAdmin('GET', '/api/v1/namespaces/ci/secrets/in-place');
    expect((body as { metadata: { annotations: object } }).metadata.annotations).toMatchObject({ theirs: '2' });

    const token = await readToken('in-place');
    await expect(
      conflictingWith(annotate).remint({ namespace: 'ci', name: 'in-place' }, formerKid, null),
    ).rejects.toMatchObject({ code: 'API_SERVER_UNEXPECTED', retryable: true, details: { status: 409 } });
    expect(await readToken('in-place')).toBe(token);
    expect(writes).toBe(8);
  });

  test('a Secret that is gone is no trouble', async () => {
    expect(await secrets.remint({ namespace: 'ci', name: 'gone' }, nextKid, null)).toBeNull();
    await secrets.remove({ namespace: 'ci', name: 'gone' });
  });

  test('without a controller manager it says in time what is missing', async () => {
    await manager.signal('SIGKILL');
    const impatient = new KubeLegacySecrets({ client, mintTimeoutMs: 300 });
    await expect(impatient.mintSuccessor((await find('first'))!, 'late')).rejects.toMatchObject({
      code: 'EFFECT_MISSING',
      subject: 'ci/first-late',
      retryable: true,
    });
  });
});
