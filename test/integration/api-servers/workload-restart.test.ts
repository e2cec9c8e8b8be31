// Restarts of real workloads by real controllers. There is no kubelet: the test makes pods ready and removes those that are told to go.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KubeCluster } from '../../../src/api-servers/cluster.ts';
import { KubeClient } from '../../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../../src/api-servers/kube-config.ts';
import { restartWorkload } from '../../../src/api-servers/workload-restart.ts';
import { applyManifest } from '../../../src/demo/control-plane/apply-manifest.ts';
import type { WorkloadName } from '../../../src/rotation/workload.ts';
import { startKubeletStandIn, type KubeletStandIn, type Pod } from '../../fixtures/kubelet-stand-in.ts';
import { startSingleApiServer, type SingleApiServer } from '../../fixtures/single-api-server.ts';

let server: SingleApiServer;
let client: KubeClient;
let kubelet: KubeletStandIn;

beforeAll(async () => {
  server = await startSingleApiServer();
  await applyManifest(await server.kubeConfig('admin'), 'deploy/rbac.yaml');
  await applyManifest(await server.kubeConfig('admin'), 'deploy/rbac-restarts.yaml');
  const controllers = 'deployment-controller,replicaset-controller,statefulset-controller,daemonset-controller';
  await server.startControllerManager({ controllers });
  client = new KubeClient(await loadKubeConfig(await server.kubeConfig('admin')));
  await create('/api/v1/nodes', { metadata: { name: 'worker-1' } });
  // What the node lifecycle controller does once a kubelet reports that it is ready.
  await server.asAdmin('PATCH', '/api/v1/nodes/worker-1', { spec: { taints: null } });
  kubelet = startKubeletStandIn(client);
});
afterAll(async () => {
  await kubelet?.stop();
  await server?.stop();
});

async function create(path: string, body: unknown): Promise<void> {
  const answer = await server.asAdmin('POST', path, body);
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
}

const named = (kind: WorkloadName['kind'], name: string): WorkloadName => ({ namespace: 'default', kind, name });
const plural = { Deployment: 'deployments', StatefulSet: 'statefulsets', DaemonSet: 'daemonsets' } as const;
const pathOf = ({ kind, name }: WorkloadName) => `/apis/apps/v1/namespaces/default/${plural[kind]}/${name}`;

async function make({ kind, name }: WorkloadName, spec: object = {}): Promise<void> {
  await create(`/apis/apps/v1/namespaces/default/${plural[kind]}`, {
    metadata: { name },
    spec: {
      ...(kind === 'DaemonSet' ? {} : { replicas: 2 }),
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'none' }] } },
      ...spec,
    },
  });
}

async function untilReady(name: string, count: number): Promise<readonly Pod[]> {
  for (const deadline = Date.now() + 30_000; ; await sleep(50)) {
    const pods = (await kubelet.podsOf(name)).filter(({ status }) => status?.phase === 'Running');
    if (pods.length === count) return pods;
    if (Date.now() > deadline) throw new Error(`${name} has ${pods.length} pods`);
  }
}

const restart = (workload: WorkloadName, rotationId = 'abc12345', timeoutMs = 60_000, as = client) => {
  const told: string[] = [];
  const report = (words: string) => void told.push(words);
  const options = { rotationId, timeoutMs, signal: new AbortController().signal, report };
  return restartWorkload(as, workload, options).then((outcome) => ({ ...outcome, told }));
};
const namesOf = (pods: readonly Pod[]) => pods.map(({ metadata }) => metadata.name).toSorted();

describe.each([
  ['Deployment', 2],
  ['StatefulSet', 2],
  ['DaemonSet', 1],
] as const)('a %s', (kind, count) => {
  const workload = named(kind, `all-${kind.toLowerCase()}`);

  test('has new pods only, all available, when it was restarted; by the same rotation it is not restarted again', async () => {
    await make(workload);
    await untilReady(workload.name, count);
    const { restarted, progress, told } = await restart(workload);
    expect(restarted).toBe(true);
    expect(progress).toBe(`${count} of ${count} pods are new, ${count} available`);
    expect(
      told.some((words) => words.startsWith(`waiting for the rollout of ${kind} default/${workload.name}: `)),
    ).toBe(true);
    const after = await kubelet.podsOf(workload.name);
    expect(after).toHaveLength(count);
    for (const { metadata } of after) {
      expect(metadata.annotations).toMatchObject({ 'keyturn.dev/restarted-by-rotation': 'abc12345' });
      expect(metadata.annotations).toHaveProperty(['kubectl.kubernetes.io/restartedAt']);
    }
    expect(await restart(workload)).toMatchObject({ restarted: false });
    expect(namesOf(await kubelet.podsOf(workload.name))).toEqual(namesOf(after));
  });

  test('is restarted again by the next rotation', async () => {
    const annotations = async () => (await kubelet.podsOf(workload.name)).map(({ metadata }) => metadata.annotations);
    const before = await annotations();
    expect(await restart(workload, 'def67890')).toMatchObject({ restarted: true });
    expect(await annotations()).not.toEqual(before);
  });
});

test('what does not come to its end is an error that says how far it came; a retry waits on and restarts nothing', async () => {
  const slow = named('Deployment', 'slow');
  await make(slow);
  const before = await untilReady('slow', 2);
  kubelet.makesReady = (pod) => !pod.startsWith('slow-') || namesOf(before).includes(pod);
  await expect(restart(slow, 'abc12345', 1500)).rejects.toMatchObject({
    code: 'ROLLOUT_INCOMPLETE',
    subject: 'Deployment default/slow',
    retryable: false,
    message: expect.stringMatching(/1 of 2 pods are new, 2 available, 2 old/) as string,
  });
  const { body } = await server.asAdmin('GET', pathOf(slow));
  const { generation } = (body as { metadata: { generation: number } }).metadata;
  kubelet.makesReady = () => true;
  expect(await restart(slow)).toMatchObject({ restarted: false, progress: '2 of 2 pods are new, 2 available' });
  const later = await server.asAdmin('GET', pathOf(slow));
  expect((later.body as { metadata: { generation: number } }).metadata.generation).toBe(generation);
});

test('a Deployment that has given up is told at once', async () => {
  const stuck = named('Deployment', 'stuck');
  await make(stuck, { progressDeadlineSeconds: 1 });
  await untilReady('stuck', 2);
  kubelet.makesReady = (pod) => !pod.startsWith('stuck-');
  await expect(restart(stuck)).rejects.toMatchObject({
    code: 'ROLLOUT_INCOMPLETE',
    message: expect.stringContaining('progressDeadlineSeconds is over') as string,
  });
  kubelet.makesReady = () => true;
});

test.for([
  ['Deployment', { paused: true }, 'it is paused'],
  ['StatefulSet', { updateStrategy: { type: 'OnDelete' } }, 'its updateStrategy is OnDelete'],
  ['StatefulSet', { updateStrategy: { rollingUpdate: { partition: 1 } } }, 'its rollingUpdate.partition is 1'],
  ['DaemonSet', { updateStrategy: { type: 'OnDelete' } }, 'its updateStrategy is OnDelete'],
] as const)(
  'a %s with %j is not touched: a restart would not replace its pods',
  async ([kind, spec, why], { task }) => {
    const workload = named(kind, `idle-${task.id.split('_').at(-1)}`);
    await make(workload, spec);
    await expect(restart(workload)).rejects.toMatchObject({
      code: 'ROLLOUT_INCOMPLETE',
      message: expect.stringContaining(why) as string,
    });
    const { body } = await server.asAdmin('GET', pathOf(workload));
    expect(JSON.stringify(body)).not.toContain('restarted');
  },
);

test('one that is not there is named', async () => {
  await expect(restart(named('DaemonSet', 'gone'))).rejects.toMatchObject({
    code: 'WORKLOAD_NOT_FOUND',
    subject: 'DaemonSet default/gone',
  });
});

test('the rights are those of deploy/rbac-restarts.yaml, and asked for only where a workload is named', async () => {
  const web = named('Deployment', 'web');
  await make(web);
  const keyturn = new KubeClient(await loadKubeConfig(await server.kubeConfig('keyturn')));
  expect(await restart(web, 'abc12345', 60_000, keyturn)).toMatchObject({ restarted: true });
  const missing = async (restarts: readonly WorkloadName[]) =>
    (await new KubeCluster({ client: keyturn, restarts }).missingPermissions()).map(({ subject }) => subject);
  expect(await missing([])).toEqual([]);
  expect(await missing([web])).toEqual([]);
  expect(await missing([web, named('StatefulSet', 'db')])).toEqual([
    'get statefulsets.apps default/db',
    'patch statefulsets.apps default/db',
  ]);
});
