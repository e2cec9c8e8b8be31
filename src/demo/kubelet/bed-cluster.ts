// The Kubernetes cluster on a bed's machines: made by kubeadm, behind a load balancer, as its owner would have made it.
import { randomBytes } from 'node:crypto';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { applyYaml } from '../control-plane/apply-manifest.ts';
import { LoadBalancer } from '../control-plane/load-balancer.ts';
import { generateSigningKeyFiles } from '../control-plane/signing-key-files.ts';
import { waitForHttps } from '../https-probe.ts';
import { type BedMachines, mostNodes } from './bed-machines.ts';
import type { BedNode } from './bed-node.ts';
import type { KubeletBedOptions } from './bed-options.ts';
import type { ClusterSettings } from './kubeadm-config.ts';
import {
  initFile,
  type KubeadmSettings,
  makeNodeFiles,
  makeSharedPki,
  markControlPlane,
  writeClusterObjects,
  writeKubeadmFiles,
} from './kubeadm-phases.ts';

const readyTimeoutMs = 360_000;
const loadBalancerPort = 6443;
const rbacManifest = fileURLToPath(new URL('../../../deploy/rbac.yaml', import.meta.url));

/** `kubeadm init` makes it between two of its phases: the group of admin.conf gets its rights. */
const clusterAdmins = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: 'kubeadm:cluster-admins' }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: Group, name: 'kubeadm:cluster-admins' }]
`;

export interface BedCluster {
  readonly issuer: string;
  readonly kubeadm: KubeadmSettings;
  readonly loadBalancer: LoadBalancer;
  readonly adminKubeconfigPath: string;
  readonly keyturnKubeconfigPath: string;
  readonly caPath: string;
  readonly caPem: string;
}

/** Settles when every API server and controller manager is ready. @throws Error with what did not come up */
export async function makeCluster(machines: BedMachines, options: KubeletBedOptions): Promise<BedCluster> {
  const { directory, onProgress = () => undefined } = options;
  const kubeadm = {
    cluster: clusterSettings(machines, options),
    apiServerGracePeriodSeconds: options.apiServerGracePeriodSeconds,
  };
  const nodes = await machines.add(options.nodes ?? 3);
  onProgress('Making the cluster with kubeadm');
  await Promise.all(nodes.map((node) => writeKubeadmFiles(node, kubeadm, nodes)));
  await makeSharedPki(nodes, generateSigningKeyFiles(options.signingKey ?? 'rsa-2048'));
  await Promise.all(
    nodes.map(async (node) => {
      await makeNodeFiles(node);
      await node.startKubelet();
    }),
  );
  const [first] = nodes;
  if (first === undefined) throw new RangeError('a bed needs a node');
  const paths = {
    caPath: join(directory, 'ca.crt'),
    adminKubeconfigPath: join(directory, 'admin.conf'),
    keyturnKubeconfigPath: join(directory, 'keyturn.conf'),
  };
  await copyFile(join(first.pkiDirectory, 'ca.crt'), paths.caPath);
  await copyFile(join(first.directory, 'super-admin.conf'), paths.adminKubeconfigPath);
  const caPem = await readFile(paths.caPath, 'utf8');
  const loadBalancer = new LoadBalancer({
    host: machines.network.hostAddress,
    port: loadBalancerPort,
    backends: nodes.map((node) => node.apiServerUrl),
    caPem,
    checkTimeoutMs: 5000,
  });
  await loadBalancer.start();
  try {
    await Promise.all(
      nodes.map(async (node) => {
        await waitUntilReady(node, caPem);
        onProgress(`${node.name} is ready at ${node.apiServerUrl}`);
      }),
    );
    await loadBalancer.checkAll();
    await applyOnceReachable(paths.adminKubeconfigPath, clusterAdmins);
    await writeClusterObjects(first);
    await Promise.all(nodes.map((node) => markControlPlane(node)));
    const keyturn = ['kubeadm', 'kubeconfig', 'user', '--client-name', 'keyturn', '--config', initFile];
    await writeFile(paths.keyturnKubeconfigPath, await first.namespaces.run(keyturn), { mode: 0o600 });
    await applyOnceReachable(paths.adminKubeconfigPath, await readFile(rbacManifest, 'utf8'));
    return { issuer: kubeadm.cluster.issuer, kubeadm, loadBalancer, ...paths, caPem };
  } catch (error) {
    await loadBalancer.stop();
    throw error;
  }
}

/** @throws Error that names the logs */
export async function waitUntilReady(node: BedNode, caPem: string): Promise<void> {
  const ended = new AbortController();
  void node.whenKubeletEnds().then(() => ended.abort(new Error('kubelet ended')));
  const wait = { timeoutMs: readyTimeoutMs, signal: ended.signal };
  try {
    await waitForHttps({ url: `${node.apiServerUrl}/readyz`, caPem }, wait);
    // Its serving certificate is one that it made for itself.
    await waitForHttps({ url: `${node.controllerManagerUrl}/healthz`, caPem: undefined }, wait);
  } catch (error) {
    throw new Error(`${node.name} did not become ready, see ${node.namespaces.logsDirectory}`, { cause: error });
  }
}

function clusterSettings(machines: BedMachines, options: KubeletBedOptions): ClusterSettings {
  const { network } = machines;
  const nodeAddresses = Array.from({ length: mostNodes }, (_, index) => network.nodeAddress(index + 1));
  return {
    endpoint: `${network.hostAddress}:${loadBalancerPort}`,
    serverNames: [network.hostAddress, ...nodeAddresses, '127.0.0.1', 'localhost'],
    issuer: options.issuer ?? 'https://kubernetes.default.svc.cluster.local',
    apiServerFlags: options.apiServerFlags ?? {},
    controllerManagerFlags: options.controllerManagerFlags ?? {},
    fileCheckFrequencySeconds: options.fileCheckFrequencySeconds,
    bootstrapToken: `${randomBytes(3).toString('hex')}.${randomBytes(8).toString('hex')}`,
  };
}

/** Three API servers that have just started on a busy machine can be away from the load balancer again for a moment. @throws the last error after a minute */
async function applyOnceReachable(kubeconfig: string, yaml: string): Promise<void> {
  for (const giveUpAt = Date.now() + 60_000; ; await sleep(500)) {
    try {
      await applyYaml(kubeconfig, yaml);
      return;
    } catch (error) {
      if (Date.now() > giveUpAt) throw error;
    }
  }
}
