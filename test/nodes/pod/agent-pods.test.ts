// The life of agent pods: made when needed, found again, replaced, refused with a reason, removed.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FakePod } from '../../fakes/agent-cluster.ts';
import { AgentScene } from './agent-scene.ts';

let scene: AgentScene;
beforeEach(async () => {
  scene = await AgentScene.start();
});
afterEach(() => scene.close());
const onlyPod = (): FakePod => [...scene.cluster.pods.values()][0]!;

test('an agent is made once for a node, however many ask for it, and says whose it is', async () => {
  const agents = scene.agents();
  agents.workFor('rotation-1a2b3c4d');
  await Promise.all(Array.from({ length: 5 }, () => agents.agentOf('node-1')));
  expect(scene.cluster.running()).toEqual(['node-1']);
  expect(onlyPod().metadata).toMatchObject({
    namespace: 'keyturn-agents',
    name: expect.stringMatching(/^keyturn-agent-node-1-[0-9a-f]{10}$/),
    labels: {
      'app.kubernetes.io/managed-by': 'keyturn',
      'keyturn.dev/cluster': 'prod',
      'keyturn.dev/purpose': 'rotation-1a2b3c4d',
    },
    annotations: {
      'keyturn.dev/node': 'node-1',
      'keyturn.dev/created-at': expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    },
  });
});

test('it sees the named folders and nothing else, as root with two capabilities', async () => {
  const agents = scene.agents({
    hostPaths: ['/etc/kubernetes'],
    imagePullSecrets: ['registry'],
    seLinuxType: 'spc_t',
    image: 'registry.example/tools:1',
    imagePullPolicy: 'Always',
  });
  await agents.agentOf('node-1');
  const { spec } = onlyPod();
  expect(spec).toMatchObject({
    nodeName: 'node-1',
    tolerations: [{ operator: 'Exists' }],
    priorityClassName: 'system-node-critical',
    activeDeadlineSeconds: 3600,
    automountServiceAccountToken: false,
    hostNetwork: false,
    imagePullSecrets: [{ name: 'registry' }],
    securityContext: { runAsUser: 0, seccompProfile: { type: 'RuntimeDefault' }, seLinuxOptions: { type: 'spc_t' } },
    volumes: [{ hostPath: { path: '/etc/kubernetes', type: 'Directory' } }],
  });
  expect(spec).not.toHaveProperty('hostPID');
  expect(spec.containers).toHaveLength(1);
  expect(spec.containers[0]).toMatchObject({
    image: 'registry.example/tools:1',
    imagePullPolicy: 'Always',
    securityContext: {
      privileged: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'], add: ['DAC_OVERRIDE', 'CHOWN'] },
    },
    volumeMounts: [{ mountPath: '/etc/kubernetes', readOnly: false }],
  });
});

test('whoever only looks gets agents that cannot write, of its own, and removes no others', async () => {
  const ours = scene.agents();
  await ours.agentOf('node-1');
  const looking = scene.agents({ access: 'read-only' });
  await looking.agentOf('node-1');
  const [, other] = [...scene.cluster.pods.values()];
  expect(other!.spec.containers[0]).toMatchObject({
    volumeMounts: [{ readOnly: true }],
    securityContext: { capabilities: { drop: ['ALL'], add: ['DAC_OVERRIDE'] } },
  });
  expect(await looking.release()).toEqual([other!.metadata.name]);
  await expect.poll(() => scene.cluster.pods.size).toBe(1);
  expect(onlyPod().metadata.name).not.toBe(other!.metadata.name);
});

test('the next worker finds the agents of one that died, and removes all of them, those for looking too', async () => {
  const died = scene.agents();
  await died.agentOf('node-1');
  await died.agentOf('node-2');
  await scene.agents({ access: 'read-only' }).agentOf('node-3');
  const agents = scene.agents();
  expect((await agents.agentOf('node-1')).name).toBe((await died.agentOf('node-1')).name);
  expect(scene.cluster.pods.size).toBe(3);
  expect(await agents.release()).toHaveLength(3);
  await expect.poll(() => scene.cluster.pods.size).toBe(0);
  expect(await agents.release()).toEqual([]);
});

test('one that was removed a moment ago is waited out, then made anew', async () => {
  const agents = scene.agents();
  const first = await agents.agentOf('node-1');
  await agents.release();
  const second = await agents.agentOf('node-1');
  expect(second.name).toBe(first.name);
  expect(scene.cluster.running()).toEqual(['node-1']);
});

test.for([
  ['has other settings', (): void => undefined],
  ['was evicted', () => scene.cluster.evictAll()],
  [
    'is near the end of its time',
    () => {
      onlyPod().metadata.creationTimestamp = new Date(Date.now() - 46 * 60_000).toISOString();
    },
  ],
] as const)('one that %s is replaced', async ([trouble, cause]) => {
  await scene.agents().agentOf('node-1');
  cause();
  const before = onlyPod();
  await scene.agents(trouble === 'has other settings' ? { image: 'other:1' } : {}).agentOf('node-1');
  expect(scene.cluster.running()).toEqual(['node-1']);
  expect(onlyPod()).not.toBe(before);
  expect(onlyPod().status).toMatchObject({ phase: 'Running' });
});

test('agents that nobody uses are removed after a while, and made again when needed', async () => {
  const agents = scene.agents({}, { idleMs: 300 });
  await agents.agentOf('node-1');
  await expect.poll(() => scene.cluster.pods.size, { timeout: 5000 }).toBe(0);
  await agents.agentOf('node-1');
  expect(scene.cluster.running()).toEqual(['node-1']);
});

describe('refusals', () => {
  test('a node that the cluster does not have', async () => {
    await expect(scene.agents().agentOf('node-9')).rejects.toMatchObject({
      code: 'NODE_UNREACHABLE',
      subject: 'node-9',
      retryable: false,
    });
  });

  test('a node that is no control-plane node, unless that is configured', async () => {
    scene.cluster.nodeLabels = {};
    await expect(scene.agents().agentOf('node-1')).rejects.toMatchObject({ code: 'CONFIG_INVALID', subject: 'node-1' });
    expect(scene.cluster.pods.size).toBe(0);
    await scene.agents({}, { requireControlPlaneLabel: false }).agentOf('node-1');
  });

  test('a kubelet that does not start it: what it waits for is told, and it may be tried again', async () => {
    const waiting = { reason: 'ImagePullBackOff', message: 'no such host' };
    scene.cluster.statusOf = () => ({ phase: 'Pending', containerStatuses: [{ state: { waiting } }] });
    const refused = scene.agents({}, { startTimeoutMs: 1000 }).agentOf('node-1');
    await expect(refused).rejects.toMatchObject({
      code: 'NODE_UNREACHABLE',
      subject: 'node-1',
      retryable: true,
      message: expect.stringContaining('ImagePullBackOff: no such host'),
    });
  });

  test('an image that lacks commands, by their names', async () => {
    const terminated = { exitCode: 69, reason: 'Error', message: 'keyturn\n sha256sum stat\n' };
    const status = { phase: 'Running', containerStatuses: [{ state: { waiting: {} }, lastState: { terminated } }] };
    scene.cluster.statusOf = () => status;
    await expect(scene.agents().agentOf('node-1')).rejects.toMatchObject({
      code: 'NODE_COMMAND_MISSING',
      retryable: false,
      message: expect.stringMatching(/sha256sum stat \(image busybox:1\.36\)/),
    });
  });

  test('an image that can never start is not waited for', async () => {
    const waiting = { reason: 'InvalidImageName', message: 'bad' };
    scene.cluster.statusOf = () => ({ phase: 'Pending', containerStatuses: [{ state: { waiting } }] });
    await expect(scene.agents().agentOf('node-1')).rejects.toMatchObject({
      code: 'NODE_UNREACHABLE',
      retryable: false,
      message: expect.stringContaining('InvalidImageName: bad'),
    });
  });

  test('a namespace without rights, or none', async () => {
    scene.cluster.refuse = (method) => (method === 'POST' ? [403, 'violates PodSecurity "baseline"'] : undefined);
    await expect(scene.agents().agentOf('node-1')).rejects.toMatchObject({
      code: 'API_SERVER_FORBIDDEN',
      message: expect.stringMatching(/violates PodSecurity "baseline".*rbac-pod-access\.yaml/),
    });
  });

  test('a namespace that was made a moment ago, and has no ServiceAccount yet, is given its time', async () => {
    let refusals = 0;
    scene.cluster.refuse = (method) => {
      if (method !== 'POST' || refusals === 6) return undefined;
      refusals += 1;
      return [403, 'serviceaccount "default" not found'];
    };
    await scene.agents({}, { doubtRefusalMs: 10_000 }).agentOf('node-1');
    expect(refusals).toBe(6);
    expect(scene.cluster.running()).toEqual(['node-1']);
  });

  test('a quota on the priority is no reason to do without the agent', async () => {
    const isCritical = (body: unknown) => JSON.stringify(body).includes('system-node-critical');
    scene.cluster.refuse = (method, _, body) =>
      method === 'POST' && isCritical(body) ? [403, 'insufficient quota to match these scopes'] : undefined;
    await scene.agents().agentOf('node-1');
    expect(onlyPod().spec).not.toHaveProperty('priorityClassName');
    // And it is found again, not replaced.
    const before = onlyPod();
    await scene.agents().agentOf('node-1');
    expect(onlyPod()).toBe(before);
  });
});
