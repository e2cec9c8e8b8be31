// Probe pods under exactly the RBAC of deploy/rbac-verification-pod.yaml, against a real kube-apiserver. Where a pod must run, the test says so in
// kubelet's place, and answers `cat`; with a real kubelet: test/kubelet/verification-pod.test.ts.
import { setTimeout as sleep } from 'node:timers/promises';
import { SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { KubeClient } from '../../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../../src/api-servers/kube-config.ts';
import { execInPod } from '../../../src/api-servers/pod-exec.ts';
import { applyManifest } from '../../../src/demo/control-plane/apply-manifest.ts';
import { KeyturnError } from '../../../src/errors.ts';
import { KubeProbePods, type KubeProbePodsOptions } from '../../../src/probe-pods/kube-probe-pods.ts';
import type { ProbePod } from '../../../src/probe-pods/port.ts';
import { startSingleApiServer, type SingleApiServer, type User } from '../../fixtures/single-api-server.ts';

const NAMESPACE = '/api/v1/namespaces/keyturn-verify';
const MADE_BY_US = '/api/v1/namespaces/made-by-us';
const control = { signal: new AbortController().signal, report: () => undefined };

let server: SingleApiServer;
beforeAll(async () => {
  server = await startSingleApiServer();
  await applyManifest(await server.kubeConfig('admin'), 'deploy/rbac-verification-pod.yaml');
});
afterAll(() => server.stop());

async function probePods(change: Partial<KubeProbePodsOptions> = {}, user: User = 'keyturn'): Promise<KubeProbePods> {
  const kubeConfig = await loadKubeConfig(await server.kubeConfig(user));
  return new KubeProbePods({
    cluster: 'prod',
    image: 'registry.example/busybox:1',
    namespace: 'keyturn-verify',
    audience: 'api://outside',
    tokenLifetimeMs: 600_000,
    awaitRefresh: true,
    labels: { 'azure.workload.identity/use': 'true' },
    annotations: { 'azure.workload.identity/client-id': 'dummy' },
    nodeSelector: { disk: 'fast' },
    tolerations: [{ key: 'node-role.kubernetes.io/control-plane', operator: 'Exists', effect: 'NoSchedule' }],
    imagePullSecrets: ['registry'],
    client: new KubeClient(kubeConfig),
    exec: (command) => execInPod(kubeConfig, command),
    startTimeoutMs: 20_000,
    readTimeoutMs: 1500,
    endTimeoutMs: 1000,
    ...change,
  });
}

interface Listed {
  readonly metadata: { readonly name: string; readonly uid: string; readonly labels: Record<string, string> };
  readonly spec: Record<string, unknown>;
}
async function list(path: string): Promise<readonly Listed[]> {
  return ((await server.asAdmin('GET', path)).body as { items: Listed[] }).items;
}
const pods = () => list(`${NAMESPACE}/pods`);

/** As kubelet reports it. */
async function report(name: string, status: object, namespace = NAMESPACE): Promise<void> {
  for (;;) {
    const { status: found, body } = await server.asAdmin('GET', `${namespace}/pods/${name}`);
    if (found === 200) {
      const answer = await server.asAdmin('PUT', `${namespace}/pods/${name}/status`, { ...(body as object), status });
      if (answer.status === 200) return;
    }
    await sleep(50);
  }
}
const running = { phase: 'Running', containerStatuses: [statusOf({ running: {} }, true)] };
function statusOf(state: object, ready: boolean) {
  return { name: 'probe', image: 'x', imageID: 'x', restartCount: 0, ready, state };
}
async function startRunning(by: KubeProbePods, rotation: string, role: 'lasting' | 'fresh'): Promise<ProbePod> {
  const started = by.start(rotation, role, control);
  await Promise.race([started, report(`keyturn-verify-${rotation}-${role}`, running)]);
  return started;
}

afterEach(async () => {
  await (await probePods({}, 'admin')).removeAll(control);
});

describe('rights', () => {
  test('are those of deploy/rbac-verification-pod.yaml, and each that is missing is named', async () => {
    expect(await (await probePods()).missingPermissions()).toEqual([]);
    const problems = await (await probePods({}, 'nobody')).missingPermissions();
    expect(problems.map(({ subject }) => subject)).toEqual([
      'list pods in namespace keyturn-verify',
      'get pods in namespace keyturn-verify',
      'create pods in namespace keyturn-verify',
      'delete pods in namespace keyturn-verify',
      'get pods/exec in namespace keyturn-verify',
      'create pods/exec in namespace keyturn-verify',
      'create serviceaccounts in namespace keyturn-verify',
      'get serviceaccounts keyturn-verify/keyturn-verify',
      'delete serviceaccounts keyturn-verify/keyturn-verify',
      'get namespaces keyturn-verify/keyturn-verify',
    ]);
    expect(problems[0]?.message).toContain('Apply deploy/rbac-verification-pod.yaml');
  });

  test('suffice for exec: the API server refuses it for want of a node only', async () => {
    const by = await probePods();
    const pod = await startRunning(by, 'r1', 'lasting');
    await expect(by.readToken(pod, control)).rejects.toMatchObject({
      code: 'API_SERVER_UNEXPECTED',
      details: { status: 400, said: expect.stringContaining('host assigned') },
    });
    await expect((await probePods({}, 'nobody')).readToken(pod, control)).rejects.toMatchObject({
      code: 'API_SERVER_FORBIDDEN',
      details: { status: 403, resource: 'pods/exec' },
    });
  });
});

describe('a pod', () => {
  test('is made as Pod Security "restricted" wants it, with a token for the audience and no access to the API', async () => {
    await startRunning(await probePods(), 'r1', 'lasting');
    const [pod] = await pods();
    expect(pod?.metadata.labels).toEqual({
      'app.kubernetes.io/managed-by': 'keyturn',
      'app.kubernetes.io/component': 'probe-pod',
      'azure.workload.identity/use': 'true',
      'keyturn.dev/cluster': 'prod',
      'keyturn.dev/rotation': 'r1',
    });
    expect(pod?.spec).toMatchObject({
      serviceAccountName: 'keyturn-verify',
      automountServiceAccountToken: false,
      restartPolicy: 'Never',
      activeDeadlineSeconds: 2_592_000,
      nodeSelector: { disk: 'fast' },
      imagePullSecrets: [{ name: 'registry' }],
      // Kubernetes adds two of its own.
      tolerations: expect.arrayContaining([
        { key: 'node-role.kubernetes.io/control-plane', operator: 'Exists', effect: 'NoSchedule' },
      ]),
      volumes: [
        {
          name: 'azure-identity-token',
          projected: {
            sources: [
              {
                serviceAccountToken: {
                  audience: 'api://outside',
                  expirationSeconds: 600,
                  path: 'azure-identity-token',
                },
              },
            ],
          },
        },
      ],
      containers: [{ volumeMounts: [{ mountPath: '/var/run/secrets/azure/tokens', readOnly: true }] }],
    });
    const [account] = (await list(`${NAMESPACE}/serviceaccounts`)).filter(
      ({ metadata }) => metadata.name === 'keyturn-verify',
    );
    expect(account?.metadata).toMatchObject({
      labels: { 'azure.workload.identity/use': 'true' },
      annotations: { 'azure.workload.identity/client-id': 'dummy' },
    });
  });

  test('has no volume of ours where somebody else brings the token', async () => {
    await startRunning(await probePods({ tokenFile: '/var/run/token' }), 'r1', 'fresh');
    expect((await pods())[0]?.spec['volumes']).toBeUndefined();
  });

  test('is started once: whoever comes again, of the same rotation, gets the same one', async () => {
    const first = await startRunning(await probePods(), 'r1', 'lasting');
    expect(await (await probePods()).start('r1', 'lasting', control)).toEqual(first);
    expect(await (await probePods()).find('r1', 'lasting')).toEqual(first);
    expect(await (await probePods()).find('r1', 'fresh')).toBeNull();
    expect(await pods()).toHaveLength(1);
  });

  test('of another rotation is removed, and nothing else', async () => {
    await startRunning(await probePods(), 'r1', 'lasting');
    const { containers, securityContext } = (await pods())[0]!.spec;
    const made = await server.asAdmin('POST', `${NAMESPACE}/pods`, {
      metadata: { name: 'stranger' },
      spec: {
        automountServiceAccountToken: false,
        securityContext,
        containers: [{ ...(containers as object[])[0], volumeMounts: [] }],
      },
    });
    expect(made.status).toBe(201);
    await startRunning(await probePods(), 'r2', 'lasting');
    expect((await pods()).map(({ metadata }) => metadata.name)).toEqual(['keyturn-verify-r2-lasting', 'stranger']);
    await (await probePods()).removeAll(control);
    expect((await pods()).map(({ metadata }) => metadata.name)).toEqual(['stranger']);
    await server.asAdmin('DELETE', `${NAMESPACE}/pods/stranger`);
  });

  test.each<[string, object, string]>([
    [
      'is not scheduled',
      {
        phase: 'Pending',
        conditions: [
          { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes are available' },
        ],
      },
      'Unschedulable: 0/3 nodes are available',
    ],
    [
      'has no image',
      {
        phase: 'Pending',
        containerStatuses: [statusOf({ waiting: { reason: 'ImagePullBackOff', message: 'no such image' } }, false)],
      },
      'ImagePullBackOff: no such image',
    ],
    [
      'cannot start',
      {
        phase: 'Failed',
        containerStatuses: [
          statusOf({ terminated: { exitCode: 128, reason: 'StartError', message: 'exec: "sleep": not found' } }, false),
        ],
      },
      'StartError: exec: "sleep": not found',
    ],
  ])('that %s is told in the words of the node', async (_, status, why) => {
    const started = (await probePods({ startTimeoutMs: 2500 })).start('r1', 'fresh', control);
    const [outcome] = await Promise.allSettled([started, report('keyturn-verify-r1-fresh', status)]);
    expect(outcome).toMatchObject({
      status: 'rejected',
      reason: {
        code: 'PROBE_POD_UNREADY',
        retryable: false,
        subject: 'keyturn-verify/keyturn-verify-r1-fresh',
        details: { why },
      },
    });
  });

  test('that was evicted is no longer there, and the next start makes another one', async () => {
    const by = await probePods();
    const evicted = await startRunning(by, 'r1', 'lasting');
    await report(evicted.name, { phase: 'Failed', reason: 'Evicted', message: 'The node was low on memory' });
    expect(await by.find('r1', 'lasting')).toBeNull();
    const other = by.start('r1', 'lasting', control);
    for (;;) {
      const [pod] = await pods();
      if (pod !== undefined && pod.metadata.uid !== evicted.uid) break;
      await sleep(50);
    }
    await report(evicted.name, running);
    expect((await other).uid).not.toBe(evicted.uid);
  });

  test('is not made where the API server refuses, which is told in its words', async () => {
    const error: unknown = await (
      await probePods({ namespace: 'kube-system' })
    )
      .start('r1', 'fresh', control)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'API_SERVER_FORBIDDEN' });
  });
});

describe('removal', () => {
  const namesLeft = async () => [
    ...(await pods()).map(({ metadata }) => metadata.name),
    ...(await list(`${NAMESPACE}/serviceaccounts`)).map(({ metadata }) => metadata.name),
  ];

  test('takes pods and ServiceAccount, leaves the namespace that was there, and finds nothing the second time', async () => {
    const by = await probePods();
    await startRunning(by, 'r1', 'lasting');
    await startRunning(by, 'r1', 'fresh');
    expect((await by.leftovers()).map(({ object, rotationId }) => [object, rotationId])).toEqual([
      ['pod/keyturn-verify-r1-fresh', 'r1'],
      ['pod/keyturn-verify-r1-lasting', 'r1'],
      ['serviceaccount/keyturn-verify', 'r1'],
    ]);
    await by.remove('r1', 'fresh', control);
    expect(await namesLeft()).toEqual(['keyturn-verify-r1-lasting', 'keyturn-verify']);
    expect(await by.removeAll(control)).toBe(2);
    expect(await namesLeft()).toEqual([]);
    expect(await by.leftovers()).toEqual([]);
    expect(await by.removeAll(control)).toBe(0);
    expect((await server.asAdmin('GET', NAMESPACE)).status).toBe(200);
  });

  test('leaves a ServiceAccount that somebody else made', async () => {
    const account = { metadata: { name: 'keyturn-verify' } };
    expect((await server.asAdmin('POST', `${NAMESPACE}/serviceaccounts`, account)).status).toBe(201);
    const by = await probePods();
    await startRunning(by, 'r1', 'fresh');
    await by.removeAll(control);
    expect(await namesLeft()).toEqual(['keyturn-verify']);
    await server.asAdmin('DELETE', `${NAMESPACE}/serviceaccounts/keyturn-verify`);
  });

  test('does not wait for ever for a node that does not answer', async () => {
    const by = await probePods();
    const pod = await startRunning(by, 'r1', 'lasting');
    const target = { apiVersion: 'v1', kind: 'Node', name: 'node-that-is-away' };
    const bound = await server.asAdmin('POST', `${NAMESPACE}/pods/${pod.name}/binding`, {
      metadata: { name: pod.name },
      target,
    });
    expect(bound.status).toBe(201);
    await by.removeAll(control);
    expect(await pods()).toEqual([]);
  });

  test('of a namespace that was made for it, with what it needs', async () => {
    const by = await probePods({ namespace: 'made-by-us' }, 'admin');
    const started = by.start('r1', 'lasting', control);
    await report('keyturn-verify-r1-lasting', running, MADE_BY_US);
    await started;
    const { body } = await server.asAdmin('GET', MADE_BY_US);
    expect(body).toMatchObject({
      metadata: {
        labels: {
          'app.kubernetes.io/managed-by': 'keyturn',
          'keyturn.dev/rotation': 'r1',
          'pod-security.kubernetes.io/enforce': 'restricted',
        },
      },
    });
    expect((await by.leftovers()).map(({ object }) => object)).toContain('namespace/made-by-us');
    const removed = by.removeAll(control);
    // In place of the controller manager, which empties the namespace.
    for (;;) {
      const { status, body: namespace } = await server.asAdmin('GET', MADE_BY_US);
      if (status === 404) break;
      const { metadata } = namespace as { metadata: { deletionTimestamp?: string } };
      if (metadata.deletionTimestamp !== undefined) {
        await server.asAdmin('PUT', `${MADE_BY_US}/finalize`, { ...(namespace as object), spec: { finalizers: [] } });
      }
      await sleep(50);
    }
    expect(await removed).toBe(3);
    expect(await by.leftovers()).toEqual([]);
  });
});

describe('the token of a pod', () => {
  const sign = (kid: string) =>
    new SignJWT({})
      .setProtectedHeader({ alg: 'HS256', kid })
      .setIssuedAt(1_000)
      .setExpirationTime(1_600)
      .sign(Buffer.alloc(32, 1));
  type Read = Awaited<ReturnType<KubeProbePodsOptions['exec']>>;
  /** Answers of `cat`, one after the other; the last for ever. */
  const answering = (...answers: readonly (Read | Error)[]) => {
    const left = [...answers];
    return async () => {
      const answer = (left.length > 1 ? left.shift() : left[0])!;
      if (answer instanceof Error) throw answer;
      return answer;
    };
  };
  const away = new KeyturnError('API_SERVER_UNREACHABLE', 'No command can be run now', {
    subject: 'pod',
    remedy: 'Wait',
    retryable: true,
  });
  const written = (stdout: string): Read => ({ exitCode: 0, stdout, stderr: '' });

  test('is read as soon as kubelet answers again', async () => {
    const token = await sign('next');
    const by = await probePods({ exec: answering(away, written(''), written(`${token}\n`)) });
    const pod = await startRunning(by, 'r1', 'fresh');
    expect(await by.readToken(pod, control)).toEqual({ token, kid: 'next', issuedAt: 1_000_000, expiresAt: 1_600_000 });
  });

  const half = sign('next').then((token) => token.slice(0, 60));
  test.each<[string, Promise<Read | Error>, string]>([
    ['kubelet stays away', Promise.resolve(away), 'No command can be run now'],
    [
      'there is no such file',
      Promise.resolve({ exitCode: 1, stdout: '', stderr: "cat: can't open" }),
      "cat ended with 1: cat: can't open",
    ],
    ['the file holds half a token', half.then(written), 'holds no token'],
  ])('where %s is told as unreadable, and not quoted', async (_, answer, why) => {
    const by = await probePods({ exec: answering(await answer) });
    const pod = await startRunning(by, 'r1', 'fresh');
    const error: unknown = await by.readToken(pod, control).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'PROBE_POD_UNREADY', retryable: false });
    expect((error as Error).message).toContain(why);
    expect(JSON.stringify([error, (error as Error).message])).not.toContain((await half).slice(0, 12));
  });
});
