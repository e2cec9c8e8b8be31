// Whole rotations with legacy tokens of every policy, with consumers that use them all the while, and with slow clients and a workload to restart.
import { execFile } from 'node:child_process';
import { createHash, createPrivateKey, createPublicKey, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { decodeProtectedHeader, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { KubeClient } from '../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../src/api-servers/kube-config.ts';
import { applyManifest } from '../../src/demo/control-plane/apply-manifest.ts';
import { retryUpdate, rollBackUpdate } from '../../src/workflows/messages.ts';
import { startKubeletStandIn, type KubeletStandIn } from '../fixtures/kubelet-stand-in.ts';
import { openScene, readPublicJwks, rotate, waitForStatus, type Scene } from './rotation-scene.ts';
import { startConsumer, type Consumer } from './token-consumers.ts';

/** Two rotations of several minutes each on a busy machine. */
const PATIENCE_MS = 400_000;
vi.setConfig({ testTimeout: 2 * PATIENCE_MS });

const LABEL = 'kubernetes.io/legacy-token-last-used';
const YESTERDAY = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
let scene: Scene;
let admin: KubeClient;
let kubelet: KubeletStandIn;
const consumers: Consumer[] = [];

beforeAll(async () => {
  scene = await openScene({
    // Enough for one that leads and one that takes over.
    nodes: 2,
    policies: {
      legacyTokens: {
        default: 'hold',
        overrides: [
          { namespace: 'second', policy: 'refresh' },
          { namespace: 'place', policy: 'refresh', inPlace: true },
          { namespace: 'lab', policy: 'keep', reason: 'nobody minds' },
        ],
      },
      slowClients: 'hold',
      readyTimeout: '2m',
      restartWorkloads: [{ namespace: 'default', kind: 'Deployment', name: 'web' }],
    },
  });
  for (const file of ['deploy/rbac-refresh.yaml', 'deploy/rbac-restarts.yaml']) {
    await applyManifest(scene.controlPlane.adminKubeconfigPath, file);
  }
  admin = new KubeClient(await loadKubeConfig(scene.controlPlane.adminKubeconfigPath));
  kubelet = startKubeletStandIn(admin);
  await post('/apis/apps/v1/namespaces/default/deployments', {
    metadata: { name: 'web' },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'none' }] } },
    },
  });
  for (const name of ['ci', 'second', 'place', 'lab']) await makeNamespace(name);
  await makeToken('ci', 'used');
  await makeToken('ci', 'unused');
  await makeToken('second', 'app');
  await makeToken('second', 'idle');
  await makeToken('place', 'app');
  await makeToken('lab', 'app');
  const volumes = [{ name: 'token', secret: { secretName: 'app' } }];
  await makePod('second', 'app', volumes);
  await makePod('place', 'app', volumes);
  await scene.startWorker();
});
afterAll(async () => {
  for (const consumer of consumers) await consumer.stop();
  await kubelet?.stop();
  await scene?.close();
});

const post = (where: string, body: unknown) => admin.call({ verb: 'create', path: where, resource: where, body });
const secretPath = (namespace: string, name: string) => `/api/v1/namespaces/${namespace}/secrets/${name}`;
const remove = (where: string) => admin.call({ verb: 'delete', path: where, resource: where });
const patch = (where: string, body: unknown) => admin.call({ verb: 'patch', path: where, resource: where, body });

async function makeToken(namespace: string, name: string): Promise<void> {
  await post(`/api/v1/namespaces/${namespace}/secrets`, {
    type: 'kubernetes.io/service-account-token',
    metadata: { name, annotations: { 'kubernetes.io/service-account.name': 'default' } },
  });
  for (const deadline = Date.now() + 30_000; (await readToken(namespace, name)) === ''; await sleep(50)) {
    expect(Date.now()).toBeLessThan(deadline);
  }
}

/** Nobody schedules it: that it names the Secret is what counts. */
async function makePod(namespace: string, name: string, volumes: unknown): Promise<void> {
  const spec = { containers: [{ name: 'c', image: 'none' }], volumes };
  await post(`/api/v1/namespaces/${namespace}/pods`, { metadata: { name }, spec });
}

/** Settles when its ServiceAccount is there, without which tokens and pods are refused. */
async function makeNamespace(name: string): Promise<void> {
  await post('/api/v1/namespaces', { metadata: { name } });
  const where = `/api/v1/namespaces/${name}/serviceaccounts/default`;
  const call = { verb: 'get', path: where, resource: 'serviceaccounts' } as const;
  for (const deadline = Date.now() + 30_000; (await admin.call(call, [404])).status === 404; await sleep(50)) {
    expect(Date.now()).toBeLessThan(deadline);
  }
}

async function readSecret(namespace: string, name: string) {
  const call = { verb: 'get', path: secretPath(namespace, name), resource: 'secrets' } as const;
  const { status, body } = await admin.call(call, [404]);
  return status === 404
    ? null
    : (body as { data?: { token?: string }; metadata: { annotations: Record<string, string> } });
}

async function readToken(namespace: string, name: string): Promise<string> {
  const { data } = (await readSecret(namespace, name)) ?? {};
  return Buffer.from(data?.token ?? '', 'base64').toString();
}

const kidOf = async (namespace: string, name: string) => decodeProtectedHeader(await readToken(namespace, name)).kid;

/** @param holds as a CI system or an environment variable does; else it is read again, as a mounted file */
async function consume(namespace: string, name: string, holds: boolean): Promise<Consumer> {
  const held = await readToken(namespace, name);
  const consumer = startConsumer(admin, scene.controlPlane, () =>
    holds ? Promise.resolve(held) : readToken(namespace, name),
  );
  consumers.push(consumer);
  return consumer;
}

const secretNames = async (namespace: string) => {
  const { body } = await admin.call({
    verb: 'list',
    path: `/api/v1/namespaces/${namespace}/secrets`,
    resource: 'secrets',
  });
  return (body as { items: { metadata: { name: string } }[] }).items.map(({ metadata }) => metadata.name).toSorted();
};

test('keyturn plan lists them by key, last use and who mounts them, and no token', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['src/cli/main.ts', 'plan'], {
    env: { ...process.env, ...scene.processEnvironment },
  });
  expect(stdout).toContain(
    `Legacy tokens: 6 Secret(s), by the key that signed them\n  6 of ${await kidOf('ci', 'used')} (the key that is retired)`,
  );
  expect(stdout).toMatch(/second\/app {2}signed by .* {2}last used - {2}policy refresh {2}Pod app \(volume\)/);
  expect(stdout).toMatch(/place\/app .* policy refresh in place {2}Pod app \(volume\)/);
  expect(stdout).toMatch(/ci\/used .* policy hold {2}nothing mounts it/);
  expect(stdout).toContain('Restart Deployment default/web and wait for its rollout');
  expect(stdout).not.toContain('eyJ');
});

test('rolled back, second Secrets are gone and tokens that were minted anew are of the former key again', async () => {
  const former = await kidOf('place', 'app');
  const before = { place: await secretNames('place'), second: await secretNames('second') };
  const mounted = await consume('second', 'app', true);
  const handle = await rotate(scene);
  await waitForStatus(handle, ({ state }) => state === 'held', PATIENCE_MS);
  const refreshed = await kidOf('place', 'app');
  expect(refreshed).not.toBe(former);
  expect(await secretNames('second')).toHaveLength(3);

  await handle.executeUpdate(rollBackUpdate, { args: [{ reason: 'changed our mind' }] });
  const audit = await handle.result();

  expect(audit).toMatchObject({ outcome: 'rolled-back', holds: [{ step: 'settle-legacy-tokens' }] });
  // Anew: place/app in Refreshing, second/idle, which nobody used, before Pruning.
  expect(audit.steps.find(({ id }) => id === 'undo/refresh')?.proof).toBe(
    '1 second Secret(s) removed, 2 token(s) minted with the former key again',
  );
  expect(await kidOf('place', 'app')).toBe(former);
  expect((await readSecret('place', 'app'))?.metadata.annotations).not.toHaveProperty([
    'keyturn.dev/refreshed-by-rotation',
  ]);
  expect({ place: await secretNames('place'), second: await secretNames('second') }).toEqual(before);
  expect(mounted.rejected).toEqual([]);
  expect(audit.probes?.rejected).toBe(0);
});

test('forward, it holds before Pruning until each is dealt with, and no token that had to live was rejected', async () => {
  const former = await kidOf('ci', 'used');
  const [used, app, inPlace, lab] = [
    await consume('ci', 'used', true),
    await consume('second', 'app', true),
    await consume('place', 'app', false),
    await consume('lab', 'app', true),
  ];
  const slow = startConsumer(admin, scene.controlPlane, staleToken);
  consumers.push(slow);
  const handle = await rotate(scene);
  const { held, legacyTokens, slowClients } = await waitForStatus(handle, ({ state }) => state === 'held', PATIENCE_MS);

  expect(held).toMatchObject({ step: 'settle-legacy-tokens', code: 'LEGACY_TOKENS_IN_USE' });
  const successor = legacyTokens?.secrets.find(({ state }) => state === 'successor')?.name ?? '';
  expect(held?.message).toContain('2 legacy token Secret(s) are signed by the former key and would die: ');
  expect(held?.message).toContain('ci/used (last used ');
  expect(held?.message).toMatch(
    new RegExp(`second/app \\(last used .*; Pod app \\(volume\\); its successor is ${successor}\\)`),
  );
  expect(held?.message).toMatch(/And requests with tokens that their clients did not reload.*node-1 [1-9]/);
  expect(slowClients).toBeNull();
  expect((await readPublicJwks(scene)).kids).toContain(former);
  expect(await kidOf('second', successor)).not.toBe(former);
  expect(await kidOf('second', 'idle')).not.toBe(former);
  expect(await secretNames('second')).toEqual(['app', successor, 'idle']);

  // Nothing was mended: it asks again. Of slow clients only what was seen since the last time.
  await slow.stop();
  await handle.executeUpdate(retryUpdate, { args: [{ reason: 'too early' }] });
  const again = await waitForStatus(handle, ({ held: now }) => now !== null && now.since !== held?.since, PATIENCE_MS);
  expect(again.held?.message).toContain('2 legacy token Secret(s)');

  // The operator moves both users.
  await makeToken('ci', 'own-successor');
  const own = await readToken('ci', 'own-successor');
  used.move(() => Promise.resolve(own));
  const second = await readToken('second', successor);
  app.move(() => Promise.resolve(second));
  await sleep(1000); // what is under way with the former tokens comes to its end
  await remove(secretPath('ci', 'used'));
  await remove('/api/v1/namespaces/second/pods/app');
  await makePod('second', 'app-2', [{ name: 'token', secret: { secretName: successor } }]);
  // The label has a day and no time. The test cannot wait for tomorrow, so it makes the last use one of yesterday.
  await patch(secretPath('second', 'app'), { metadata: { labels: { [LABEL]: YESTERDAY } } });
  await handle.executeUpdate(retryUpdate, { args: [{ reason: 'moved' }] });
  const audit = await handle.result();

  expect(audit).toMatchObject({ outcome: 'completed', probes: { rejected: 0 } });
  expect(audit.holds.map(({ code }) => code)).toEqual(['LEGACY_TOKENS_IN_USE', 'LEGACY_TOKENS_IN_USE']);
  expect(audit.steps.find(({ id }) => id.startsWith('restart/'))).toMatchObject({ changed: true });
  const told = audit.legacyTokens?.secrets.map(({ namespace, name, state }) => `${namespace}/${name} ${state}`);
  expect(told?.toSorted()).toEqual(
    [
      'ci/unused unused',
      'lab/app accepted',
      'place/app refreshed',
      `second/${successor} successor`,
      'second/app refreshed',
      'second/idle refreshed',
    ].toSorted(),
  );
  const accepted = audit.legacyTokens?.secrets.find(({ state }) => state === 'accepted')?.accepted;
  expect(accepted).toEqual({ reason: 'nobody minds', by: 'keyturn.yaml' });
  expect(audit.slowClients?.increases).toHaveLength(2);

  for (const consumer of [used, app]) {
    expect(consumer.rejected).toEqual([]);
    expect(consumer.accepted).toBeGreaterThan(100);
  }
  // These had to die, or had to be read again: that it is seen shows that it would have been seen.
  expect(lab.rejected.length).toBeGreaterThan(0);
  const before = inPlace.accepted;
  for (const deadline = Date.now() + 15_000; inPlace.accepted === before; await sleep(50)) {
    expect(Date.now()).toBeLessThan(deadline);
  }
  const { raw } = await handle.describe();
  expect(Number(raw.workflowExecutionInfo?.historySizeBytes)).toBeLessThan(300_000);
});

test('no legacy token is in the history, a log, the audit or anywhere else that Keyturn writes', async () => {
  const tokens = [
    await readToken('second', 'app'),
    await readToken('lab', 'app'),
    await readToken('ci', 'own-successor'),
  ];
  const secrets = tokens.map((token) => token.split('.')[2] ?? '');
  expect(secrets.every((secret) => secret.length > 100)).toBe(true);
  const found: string[] = [];
  for (const entry of await readdir(scene.directory, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    // Where Kubernetes keeps them.
    if (!entry.isFile() || file.includes('/control-plane/etcd/')) continue;
    const content = await readFile(file, 'latin1');
    if (secrets.some((secret) => content.includes(secret))) found.push(path.relative(scene.directory, file));
  }
  expect(found).toEqual([]);
});

/** Of the key that signs before the rotation, minted two hours ago for a client that should have asked for another after one. */
let signingPem = '';
async function staleToken(): Promise<string> {
  signingPem ||= await readFile(path.join(scene.controlPlane.nodes[0]!.pkiDirectory, 'sa.key'), 'utf8');
  const key = createPrivateKey(signingPem);
  const kid = createHash('sha256')
    .update(createPublicKey(key).export({ type: 'spki', format: 'der' }))
    .digest('base64url');
  const { body } = await admin.call({
    verb: 'get',
    path: '/api/v1/namespaces/keyturn/serviceaccounts/keyturn-probe',
    resource: 'serviceaccounts',
  });
  const { uid } = (body as { metadata: { uid: string } }).metadata;
  const iat = Math.floor(Date.now() / 1000) - 7200;
  const { issuer } = scene.controlPlane;
  return new SignJWT({
    iss: issuer,
    aud: [issuer],
    sub: 'system:serviceaccount:keyturn:keyturn-probe',
    iat,
    nbf: iat,
    exp: iat + 365 * 86_400,
    jti: randomUUID(),
    'kubernetes.io': { namespace: 'keyturn', serviceaccount: { name: 'keyturn-probe', uid }, warnafter: iat + 3607 },
  })
    .setProtectedHeader({ alg: 'RS256', kid })
    .sign(key);
}
