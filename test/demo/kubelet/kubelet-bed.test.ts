// The kubelet bed with the real programs: what it promises, and that it leaves the machine as it was.
import { execFile } from 'node:child_process';
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { promisify } from 'node:util';
import { CoreV1Api, Exec, KubeConfig } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { KubeClient } from '../../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../../src/api-servers/kube-config.ts';
import type { KubeletBed } from '../../../src/demo/kubelet/kubelet-bed.ts';
import { probeHttps } from '../../../src/demo/https-probe.ts';
import { describeOnKubelet, openBed, type TemporaryBed } from '../../fixtures/kubelet-bed.ts';
import { findRemains, namespacesOf, readMachineSettings } from './machine-state.ts';

const run = promisify(execFile);
const issuer = 'https://issuer.invalid/oidc';
const minuteMs = 60_000;

describeOnKubelet('a kubelet bed', () => {
  let settings: readonly string[];
  let temporary: TemporaryBed;
  let bed: KubeletBed;

  beforeAll(async () => {
    settings = await readMachineSettings();
    temporary = await openBed({ issuer, apiServerGracePeriodSeconds: 2 });
    ({ bed } = temporary);
  });
  afterAll(async () => {
    await temporary?.close();
  });

  const manifestOf = (node: number): string => join(bed.nodes[node]!.manifestsDirectory, 'kube-apiserver.yaml');
  const restarts = (): number[] => bed.nodes.map(({ name }) => bed.apiServerRestarts(name).length);
  const core = (): CoreV1Api => kubeConfig(bed.adminKubeconfigPath).makeApiClient(CoreV1Api);

  /** Edits a manifest as an editor should: written elsewhere on the same disk, then renamed. Tells when it was renamed. */
  async function editManifest(node: number, edit: (text: string) => string): Promise<number> {
    const staged = join(bed.nodes[node]!.directory, 'staged.yaml');
    await writeFile(staged, edit(await readFile(manifestOf(node), 'utf8')), { mode: 0o600 });
    const renamedAt = Date.now();
    await rename(staged, manifestOf(node));
    return renamedAt;
  }

  async function askEach(path: string): Promise<string[]> {
    const client = new KubeClient(await loadKubeConfig(bed.adminKubeconfigPath));
    return Promise.all(bed.nodes.map(({ apiServerUrl }) => client.at(apiServerUrl).read(path)));
  }

  async function untilReady(node: number): Promise<void> {
    await vi.waitFor(async () => expect((await askEach('/readyz'))[node]).toBe('ok'), {
      timeout: 3 * minuteMs,
      interval: 250,
    });
  }

  it('runs three nodes whose control planes are static pods of real kubelets', async () => {
    const components = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'];
    const names = components.flatMap((name) => [1, 2, 3].map((number) => `${name}-node-${number}`)).toSorted();
    // The containers run; kubelet tells the API servers of its static pods within some seconds.
    const items = await vi.waitFor(
      async () => {
        const pods = (await core().listPodForAllNamespaces()).items;
        expect(pods.map(({ metadata }) => metadata!.name!).toSorted()).toEqual(names);
        return pods;
      },
      { timeout: minuteMs, interval: 500 },
    );
    expect(items.every(({ metadata }) => metadata!.annotations!['kubernetes.io/config.mirror'])).toBe(true);
    const nodes = await core().listNode();
    expect(nodes.items.map(({ status }) => status!.nodeInfo!.kubeletVersion)).toEqual([
      'v1.37.2',
      'v1.37.2',
      'v1.37.2',
    ]);
  });

  it('serves the issuer and the same single key at every API server', async () => {
    const discovery = (await askEach('/.well-known/openid-configuration')).map(
      (text) => (JSON.parse(text) as { issuer: string }).issuer,
    );
    expect(discovery).toEqual([issuer, issuer, issuer]);
    const kids = (await askEach('/openid/v1/jwks')).map((text) =>
      (JSON.parse(text) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid),
    );
    expect(kids[0]).toHaveLength(1);
    expect(kids).toEqual([kids[0], kids[0], kids[0]]);
  });

  it('gives the keyturn user the rights of deploy/rbac.yaml', async () => {
    const api = kubeConfig(bed.keyturnKubeconfigPath).makeApiClient(CoreV1Api);
    await expect(api.listSecretForAllNamespaces()).resolves.toBeDefined();
    await expect(api.listConfigMapForAllNamespaces()).rejects.toMatchObject({ code: 403 });
  });

  it('has controller managers that can be asked at their own addresses', async () => {
    const probes = bed.nodes.map(({ controllerManagerUrl }) =>
      // Its certificate is one that it made for itself.
      probeHttps({ url: `${controllerManagerUrl}/healthz`, caPem: undefined }),
    );
    expect(await Promise.all(probes)).toEqual([200, 200, 200]);
  });

  it('makes the same manifests again from the kubeadm-config ConfigMap', async () => {
    const files = await readdir(bed.nodes[0]!.manifestsDirectory);
    const read = () => Promise.all(files.map((name) => readFile(join(bed.nodes[0]!.manifestsDirectory, name), 'utf8')));
    const former = await read();
    await bed.regenerateControlPlane('node-1');
    expect(await read()).toEqual(former);
    expect(await bed.regenerateSigningKey('node-1')).toContain('existing');
  });

  it('runs commands in a node, with their input, output and exit code', async () => {
    const script = 'cat; hostname; exit 3';
    const output = await bed.exec('node-2', ['sh', '-c', script], 'given ');
    expect(output).toMatchObject({ code: 3, stdout: 'given node-2\n' });
  });

  it('lets an SSH client log in to a node, and to no host with another key', async () => {
    const ssh = (...words: string[]) => run('ssh', ['-F', bed.ssh.configFile, ...words]);
    expect((await ssh('node-3', 'cat /etc/hostname')).stdout).toBe('node-3\n');
    const known = await readFile(bed.ssh.knownHostsFile, 'utf8');
    await writeFile(
      join(temporary.directory, 'other_hosts'),
      known.replace(/AAAA\S+/g, 'AAAAC3NzaC1lZDI1NTE5AAAAIAfuCHKVTjquxvt6CM6tdG4SLp1Btn/nOeHHE5UOzRdf'),
    );
    const other = ssh('-o', `UserKnownHostsFile=${join(temporary.directory, 'other_hosts')}`, 'node-3', 'true');
    await expect(other).rejects.toThrow('Host key verification failed');
  });

  it('runs a command in a pod of the shell image, which reaches the API server', async () => {
    const pod = {
      metadata: { name: 'shell' },
      spec: {
        nodeName: 'node-2',
        containers: [{ name: 'shell', image: bed.shellImage, imagePullPolicy: 'Never', command: ['sleep', '1000'] }],
        terminationGracePeriodSeconds: 0,
      },
    };
    await vi.waitFor(() => core().createNamespacedPod({ namespace: 'default', body: pod }), minuteMs);
    await vi.waitFor(
      async () => {
        const { status } = await core().readNamespacedPod({ namespace: 'default', name: 'shell' });
        expect(status?.containerStatuses?.[0]?.ready).toBe(true);
      },
      { timeout: minuteMs, interval: 500 },
    );
    const command = ['sh', '-c', 'nc -w 5 10.96.0.1 443 </dev/null && echo reached'];
    expect(await execInPod(bed.adminKubeconfigPath, 'shell', command)).toBe('reached\n');
    await core().deleteNamespacedPod({ namespace: 'default', name: 'shell' });
  });

  it('restarts only the API server whose manifest was edited, and measures how long it was away', async () => {
    const edit = (name: string) => (text: string) =>
      text.replace('metadata:\n  annotations:\n', `metadata:\n  annotations:\n    test/${name}: x\n`);
    const away: number[] = [];
    const took: number[] = [];
    for (const [count, change] of [
      edit('short'),
      (text: string) => edit('to-default')(text).replace(/^  terminationGracePeriodSeconds: 2\n/m, ''),
      edit('default'),
    ].entries()) {
      const renamedAt = await editManifest(1, change);
      await vi.waitFor(() => expect(restarts()).toEqual([0, count + 1, 0]), { timeout: 2 * minuteMs, interval: 200 });
      const { stoppedAt, readyAt } = bed.apiServerRestarts('node-2').at(-1)!;
      away.push((readyAt - stoppedAt) / 1000);
      took.push((readyAt - renamedAt) / 1000);
    }
    const list = (seconds: readonly number[]): string => seconds.map((s) => s.toFixed(1)).join(', ');
    process.stdout.write(
      `From a manifest's rename to that API server ready again: ${list(took)} s; away for ${list(away)} s of it (grace period 2, 2, 30 s)\n`,
    );
    expect(away[0]).toBeGreaterThan(2);
    expect(away[0]).toBeLessThan(60);
    expect(away[2]).toBeLessThan(120);
  });

  it('starts a killed API server again', async () => {
    await bed.killApiServer('node-3');
    await vi.waitFor(() => expect(restarts()).toEqual([0, 3, 1]), { timeout: 2 * minuteMs, interval: 200 });
  });

  it('serves through the load balancer while an API server is frozen', async () => {
    await bed.freezeApiServer('node-1');
    try {
      await vi.waitFor(() => core().listNamespace(), { timeout: 20_000, interval: 500 });
      await expect(askEach('/readyz')).rejects.toMatchObject({ code: 'API_SERVER_UNREACHABLE' });
    } finally {
      await bed.thawApiServer('node-1');
    }
    await untilReady(0);
  });

  it('follows a manifest only while kubelet runs', async () => {
    const [count] = restarts();
    await bed.stopKubelet('node-1');
    await editManifest(0, (text) => text.replace('  annotations:\n', '  annotations:\n    test/stopped: x\n'));
    expect((await bed.exec('node-1', ['busybox', 'pidof', 'kube-apiserver'])).code).toBe(0);
    await bed.startKubelet('node-1');
    await vi.waitFor(() => expect(restarts()[0]).toBe(count! + 1), { timeout: 2 * minuteMs, interval: 200 });
  });

  it('cuts a node off and brings it back', async () => {
    await bed.cutNetwork('node-2');
    await expect(askEach('/readyz')).rejects.toMatchObject({ code: 'API_SERVER_UNREACHABLE' });
    expect((await bed.exec('node-2', ['ip', 'link', 'show', 'eth0'])).stdout).toContain('NO-CARRIER');
    await bed.restoreNetwork('node-2');
    const counts = restarts();
    await untilReady(1);
    expect(restarts()).toEqual(counts);
  });

  it('reboots a node, with all that was on its disk', async () => {
    const boot = async () => (await bed.exec('node-3', ['sh', '-c', 'stat -c %i /proc/self/ns/pid'])).stdout;
    const former = await boot();
    await bed.exec('node-3', ['sh', '-c', 'echo kept > /etc/kept; echo gone > /run/gone']);
    await bed.rebootNode('node-3');
    await untilReady(2);
    expect(await boot()).not.toBe(former);
    expect((await bed.exec('node-3', ['cat', '/etc/kept', '/run/gone'])).stdout).toBe('kept\n');
  });

  it('lets kubeadm join a fourth control-plane node, and take it out again', async () => {
    const joined = await bed.joinNode();
    expect(joined.name).toBe('node-4');
    const jwks = await askEach('/openid/v1/jwks');
    expect(new Set(jwks).size).toBe(1);
    expect(jwks).toHaveLength(4);
    const { items } = await core().listNode();
    expect(Object.keys(items.find(({ metadata }) => metadata!.name === 'node-4')!.metadata!.labels!)).toContain(
      'node-role.kubernetes.io/control-plane',
    );
    await bed.removeNode('node-4');
    expect(bed.nodes).toHaveLength(3);
    expect((await core().listNode()).items).toHaveLength(3);
    expect(await askEach('/readyz')).toEqual(['ok', 'ok', 'ok']);
  });

  it('leaves the machine as it was, and changes none of its settings while it runs', async () => {
    expect(await readMachineSettings()).toEqual(settings);
    const namespaces = await namespacesOf(bed);
    const remains = () => findRemains(bed.id, temporary.directory, namespaces);
    expect((await remains()).length).toBeGreaterThan(20);
    await bed.stop();
    await bed.stop();
    expect(await remains()).toEqual([]);
    expect(await readMachineSettings()).toEqual(settings);
  });
});

function kubeConfig(file: string): KubeConfig {
  const config = new KubeConfig();
  config.loadFromFile(file);
  return config;
}

async function execInPod(kubeconfig: string, pod: string, command: string[]): Promise<string> {
  const output = new PassThrough();
  let text = '';
  output.setEncoding('utf8').on('data', (part: string) => (text += part));
  await new Promise<void>((resolve, reject) => {
    new Exec(kubeConfig(kubeconfig))
      .exec('default', pod, 'shell', command, output, output, null, false, () => resolve())
      .catch(reject);
  });
  return text;
}
