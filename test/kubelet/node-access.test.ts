// Nodes with real kubelets, reached through agent pods and over ssh, as keyturn.yaml says it.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { CoreV1Api, KubeConfig, type V1Pod } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { isOn } from '../../src/config/schema.ts';
import { applyManifest } from '../../src/demo/control-plane/apply-manifest.ts';
import { loadKubeConfig } from '../../src/api-servers/kube-config.ts';
import type { KubeletBed } from '../../src/demo/kubelet/kubelet-bed.ts';
import type { NodeFiles } from '../../src/nodes/port.ts';
import { generateKeyPair } from '../../src/keys/generate.ts';
import { parsePrivateKey } from '../../src/keys/pem.ts';
import { isManaged, type StagedPlatform } from '../../src/platforms/port.ts';
import { composeCluster } from '../../src/worker/compose-cluster.ts';
import { composeNodes } from '../../src/worker/compose-nodes.ts';
import { composeReads } from '../../src/worker/compose-reads.ts';
import type { ClusterAdapters } from '../../src/activities/cluster-adapters.ts';
import { nodeFilesContract } from '../contract/node-files.ts';
import { describeOnKubelet, openBed, type TemporaryBed } from '../fixtures/kubelet-bed.ts';
import { filesWithPrivateKey, holdsPrivateKey } from '../fixtures/private-key-search.ts';
import { ecKeyPair } from '../platforms/static-pod/key-pairs.ts';
import { freely } from '../platforms/static-pod/steps.ts';

const rights = fileURLToPath(new URL('../../deploy/rbac-pod-access.yaml', import.meta.url));
const issuer = 'https://issuer.invalid/oidc';
const owner = { uid: 0, gid: 0 };

describeOnKubelet('nodes with real kubelets', () => {
  let temporary: TemporaryBed;
  let bed: KubeletBed;
  let configFile: string;
  /** Before the manifest with the rights was applied. */
  let missingRights: readonly string[];

  beforeAll(async () => {
    temporary = await openBed({ issuer, apiServerGracePeriodSeconds: 2, fileCheckFrequencySeconds: 1 });
    ({ bed } = temporary);
    configFile = path.join(temporary.directory, 'keyturn.yaml');
    await writeFile(configFile, configOf(bed));
    const { agents } = await compose('pods');
    missingRights = (await agents!.missingPermissions()).map(({ subject }) => subject);
    await applyManifest(bed.adminKubeconfigPath, rights);
    await vi.waitFor(async () => expect(await agents!.missingPermissions()).toEqual([]), 60_000);
  });
  afterAll(() => temporary?.close());

  /** `pods` and `shells`: the same cluster, reached in both ways. */
  function compose(name: 'pods' | 'shells', access: 'read-write' | 'read-only' = 'read-write') {
    // The load balancer of a busy machine may have no API server to offer for a moment.
    return vi.waitFor(() => composeNow(name, access), { timeout: 120_000, interval: 1000 });
  }
  async function composeNow(name: 'pods' | 'shells', access: 'read-write' | 'read-only') {
    const config = await loadConfig(configFile);
    const cluster = config.clusters.find((each) => each.name === name)!;
    if (!isOn(cluster, 'static-pod')) throw new Error('its nodes are reached');
    const kubeConfig = await loadKubeConfig(bed.keyturnKubeconfigPath);
    const { nodes, agents } = await composeNodes(cluster, kubeConfig, (file) => file, access);
    return {
      filesOf: (node: string): NodeFiles => nodes.find(({ config: { name: each } }) => each === node)!.files,
      agents,
      adapters: await composeCluster(config, cluster, access),
      reads: await composeReads(config, cluster),
    };
  }

  const core = (): CoreV1Api => {
    const config = new KubeConfig();
    config.loadFromFile(bed.adminKubeconfigPath);
    return config.makeApiClient(CoreV1Api);
  };
  const agentPods = async () => (await core().listNamespacedPod({ namespace: 'keyturn-agents' })).items;

  async function shellOn(node: string, script: string): Promise<string> {
    const { code, stdout, stderr } = await bed.exec(node, ['sh', '-c', script]);
    if (code !== 0) throw new Error(stderr);
    return stdout;
  }

  test('without the rights for agent pods every one of them is named', () => {
    // To list pods is a right of deploy/rbac.yaml already.
    expect(missingRights).toEqual([
      'get pods in namespace keyturn-agents',
      'create pods in namespace keyturn-agents',
      'delete pods in namespace keyturn-agents',
      'get pods/exec in namespace keyturn-agents',
      'create pods/exec in namespace keyturn-agents',
      'get nodes',
    ]);
  });

  describe.for(['pods', 'shells'] as const)('through %s', (name) => {
    nodeFilesContract(`${name} of real nodes`, async () => {
      const { filesOf, agents } = await compose(name);
      const directory = '/etc/kubernetes/contract';
      await shellOn('node-2', `mkdir -p ${directory}`);
      return {
        files: filesOf('node-2'),
        directory,
        owner,
        otherOwner: { uid: 65534, gid: 65534 },
        shell: async (script) => {
          const output = await shellOn('node-2', script);
          // A pod sees what was mounted when it began.
          if (script.includes('mount -t')) await agents?.release();
          return output;
        },
        close: async () => {
          await shellOn('node-2', `rm -r ${directory}`);
          await agents?.release();
        },
      };
    });
  });

  describe('agent pods', () => {
    let adapters: ClusterAdapters;
    let filesOf: (node: string) => NodeFiles;
    beforeAll(async () => {
      ({ adapters, filesOf } = await compose('pods'));
    });

    test('observing takes an agent on each node; they are found by doctor, and gone when they are released', async () => {
      const observed = await stagedOf(adapters).observe();
      expect(observed.problems).toEqual([]);
      expect(observed.layouts).toHaveLength(3);
      const { reads } = await compose('pods');
      expect((await reads.nodeAgents!.present()).map(({ node }) => node).toSorted()).toEqual([
        'node-1',
        'node-2',
        'node-3',
      ]);
      expect(await adapters.nodeAgents!.release()).toHaveLength(3);
      await expect.poll(async () => (await agentPods()).length, { timeout: 120_000 }).toBe(0);
    });

    test('whoever only looks cannot write', async () => {
      const looking = await compose('pods', 'read-only');
      const files = looking.filesOf('node-1');
      expect(await files.list('/etc/kubernetes/manifests')).toContain('kube-apiserver.yaml');
      await expect(files.write('/etc/kubernetes/x', 'x', { mode: 0o600, ...owner })).rejects.toMatchObject({
        code: 'NODE_PERMISSION_DENIED',
      });
      await looking.agents!.release();
    });

    test('an agent that is deleted is made anew; one whose container is killed is of use again as soon as kubelet starts it', async () => {
      const files = filesOf('node-3');
      const list = () => files.list('/etc/kubernetes/manifests');
      const before = await list();
      const { metadata } = await agentOf('node-3');
      await core().deleteNamespacedPod({
        namespace: 'keyturn-agents',
        name: metadata!.name!,
        gracePeriodSeconds: 0,
      });
      expect(await list()).toEqual(before);
      const container = (await agentOf('node-3')).status!.containerStatuses![0]!.containerID!;
      const id = container.replace('containerd://', '');
      await shellOn('node-3', `ctr --namespace k8s.io tasks kill --signal SIGKILL ${id}`);
      expect(await vi.waitFor(list, { timeout: 60_000, interval: 500 })).toEqual(before);
    });

    test('a node is read and written while the API server of another one is away', async () => {
      const files = filesOf('node-1');
      await files.list('/etc/kubernetes');
      await bed.freezeApiServer('node-2');
      try {
        await files.write('/etc/kubernetes/while-away', 'text', { mode: 0o600, ...owner });
        expect((await files.read('/etc/kubernetes/while-away'))?.content).toBe('text');
        await files.remove('/etc/kubernetes/while-away');
      } finally {
        await bed.thawApiServer('node-2');
      }
    });

    test('a connection that is cut in the middle of a write leaves the former file or the new one', async () => {
      const files = filesOf('node-1');
      const file = '/etc/kubernetes/cut';
      await files.write(file, 'before', { mode: 0o600, ...owner });
      const content = 'k'.repeat(8_000_000);
      const write = files.write(file, content, { mode: 0o600, ...owner }).then(
        () => 'done',
        (error: unknown) => error as { code: string; retryable: boolean },
      );
      await bed.killApiServer('node-2');
      await bed.killApiServer('node-3');
      const outcome = await write;
      if (outcome !== 'done') expect(outcome).toMatchObject({ code: 'NODE_UNREACHABLE', retryable: true });
      expect(['before', content]).toContain(await readFile(path.join(bed.nodes[0]!.directory, 'cut'), 'utf8'));
      const leftovers = async () => (await shellOn('node-1', 'ls -A /etc/kubernetes')).match(/.*keyturn-.*/g);
      await expect.poll(leftovers, { timeout: 60_000 }).toBeNull();
      await expect.poll(() => ready(adapters), { timeout: 120_000 }).toEqual([true, true, true]);
      await files.remove(file);
    });

    test('a private key that its agent brings to a node is on the whole node nowhere else, and nowhere in the cluster', async () => {
      const files = filesOf('node-1');
      const { privatePem } = await generateKeyPair('rsa-2048');
      const file = '/etc/kubernetes/pki/brought.key';
      await files.write(file, privatePem, { mode: 0o600, ...owner });
      expect((await files.read(file))?.content).toBe(privatePem);

      const pods = await agentPods();
      expect(pods.length).toBeGreaterThan(0);
      const { items: events } = await core().listNamespacedEvent({ namespace: 'keyturn-agents' });
      expect(holdsPrivateKey(JSON.stringify([pods, events]), privatePem)).toBe(false);
      // Logs of all its pods, kubelet's and containerd's; disks of its containers; etcd. A folder may go while it is looked at.
      const node = path.dirname(bed.nodes[0]!.directory);
      const found = await vi.waitFor(() => filesWithPrivateKey(node, privatePem), { timeout: 60_000, interval: 1000 });
      expect(found).toEqual(['etc-kubernetes/pki/brought.key']);
      await files.remove(file);
    });

    test('a node whose API server never comes with its new manifest is healed by its watchdog', async () => {
      const { layouts } = await stagedOf(adapters).observe();
      const layout = layouts.find(({ node }) => node === 'node-2')!;
      const manifest = path.join(bed.nodes[1]!.manifestsDirectory, 'kube-apiserver.yaml');
      const before = await readFile(manifest, 'utf8');
      const broken = { ...ecKeyPair(), publicPem: '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n' };
      await expect(stagedOf(adapters).trust(layout, broken, freely())).rejects.toMatchObject({
        code: 'MANIFEST_REFUSED',
        details: { node: 'node-2', manifestBack: true, runsAgain: true },
      });
      expect(await readFile(manifest, 'utf8')).toBe(before);
      expect(await ready(adapters)).toEqual([true, true, true]);
      const log = await agentLog('node-2');
      expect(log).toContain('put /etc/kubernetes/manifests/kube-apiserver.yaml back');
      await stagedOf(adapters).distrust(layout, broken, freely());
      expect(await readFile(manifest, 'utf8')).toBe(before);
      expect(await shellOn('node-2', 'ls -A /etc/kubernetes')).not.toContain('keyturn');
    });

    test('Trusting, Signing and the way back on one node, and nothing is left', async () => {
      const { layouts } = await stagedOf(adapters).observe();
      const layout = layouts.find(({ node }) => node === 'node-3')!;
      const file = path.join(bed.nodes[2]!.pkiDirectory, 'sa.key');
      const former = parsePrivateKey(await readFile(file, 'utf8'), file);
      const next = ecKeyPair();
      const tree = () => shellOn('node-3', 'cd /etc/kubernetes && find . -type f | sort | xargs sha256sum');
      const before = await tree();
      await stagedOf(adapters).backUp(layout, 'real-1');
      expect(await stagedOf(adapters).trust(layout, next, freely())).toMatchObject({ changed: true });
      expect(await stagedOf(adapters).sign(layout, former, next, freely())).toMatchObject({ changed: true });
      await stagedOf(adapters).signWithFormer(layout, former, next, freely());
      await stagedOf(adapters).distrust(layout, next, freely());
      await stagedOf(adapters).removeBackUp(layout, 'real-1');
      expect(await tree()).toBe(before);
      await adapters.nodeAgents!.release();
      await expect.poll(async () => (await agentPods()).length, { timeout: 120_000 }).toBe(0);
    });

    /** Not one that is still ending. */
    async function agentOf(node: string): Promise<V1Pod> {
      const pods = (await agentPods()).filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
      return pods.find(({ spec }) => spec?.nodeName === node)!;
    }

    async function agentLog(node: string): Promise<string> {
      const { metadata } = await agentOf(node);
      return core().readNamespacedPodLog({ namespace: 'keyturn-agents', name: metadata!.name! });
    }
  });
});

async function ready({ apiServers }: ClusterAdapters): Promise<readonly boolean[]> {
  return (await Promise.all(apiServers.map((server) => server.readiness()))).map((each) => each.ready);
}

function configOf(bed: KubeletBed): string {
  const nodes = bed.nodes.map(({ name }) => ({ name }));
  const cluster = (name: string, access: object) => ({
    name,
    platform: { type: 'static-pod', keyLayout: 'flags', kubeconfig: bed.keyturnKubeconfigPath, nodes, ...access },
    issuer,
    publisher: { type: 'azure-blob', container: 'https://account.blob.core.windows.net/oidc' },
    keyStore: { type: 'encrypted-file', directory: 'keys', wrappingKey: { env: 'HOME' } },
    policies: { readyTimeout: '90s' },
  });
  return JSON.stringify({
    clusters: [
      cluster('pods', { access: 'pod', pod: { image: bed.shellImage, imagePullPolicy: 'Never' } }),
      cluster('shells', { access: 'ssh', ssh: { configFile: bed.ssh.configFile } }),
    ],
  });
}

function stagedOf({ platform }: ClusterAdapters): StagedPlatform {
  if (isManaged(platform)) throw new Error('a static-pod platform is staged');
  return platform;
}
