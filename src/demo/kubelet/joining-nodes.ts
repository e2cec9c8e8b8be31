// Another control-plane node by `kubeadm join`, and its end by `kubeadm reset`.
import { createHash, X509Certificate } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { type BedCluster, waitUntilReady } from './bed-cluster.ts';
import type { BedMachines } from './bed-machines.ts';
import type { BedNode } from './bed-node.ts';
import { joinConfiguration } from './kubeadm-config.ts';
import { writeKubeadmFiles } from './kubeadm-phases.ts';

const joinFile = '/var/lib/kubeadm/join.yaml';
const kubeletConfigFile = '/var/lib/kubelet/config.yaml';
const joinTimeoutMs = 240_000;

/** Settles when the node's API server is ready behind the load balancer. @throws Error with what kubeadm said; the machine is gone again then */
export async function joinNode(machines: BedMachines, cluster: BedCluster, source: BedNode): Promise<BedNode> {
  const [node] = await machines.add(1);
  if (node === undefined) throw new Error('no machine was added');
  try {
    await writeKubeadmFiles(node, cluster.kubeadm, []);
    await node.writeVar(
      new Map([[joinFile, joinConfiguration(cluster.kubeadm.cluster, node, caCertHash(cluster.caPem))]]),
    );
    await node.copySharedPki(source);
    // Preflight looks for what belongs to the machine: swap, kernel modules, the version of containerd.
    const join = ['kubeadm', 'join', '--config', joinFile, '--ignore-preflight-errors=all'];
    const joining = node.namespaces.run(join, { timeoutMs: joinTimeoutMs });
    await Promise.all([joining, startKubeletOnceConfigured(node, joining)]);
    await waitUntilReady(node, cluster.caPem);
    cluster.loadBalancer.add(node.apiServerUrl);
    await cluster.loadBalancer.checkAll();
    return node;
  } catch (error) {
    await machines.remove(node);
    throw error;
  }
}

/** Leaves the cluster in order: etcd's member first, while the node still runs. */
export async function removeNode(machines: BedMachines, cluster: BedCluster, node: BedNode): Promise<void> {
  cluster.loadBalancer.remove(node.apiServerUrl);
  await node.namespaces.run(['kubeadm', 'reset', '--force'], { timeoutMs: joinTimeoutMs });
  await machines.remove(node);
  const config = new KubeConfig();
  config.loadFromFile(cluster.adminKubeconfigPath);
  await config.makeApiClient(CoreV1Api).deleteNode({ name: node.name });
}

/** Where systemd runs kubelet, it starts again and again until kubeadm has written its configuration. */
async function startKubeletOnceConfigured(node: BedNode, joining: Promise<unknown>): Promise<void> {
  let hasEnded = false;
  const end = (): void => void (hasEnded = true);
  joining.then(end, end);
  while (!hasEnded) {
    const { code } = await node.exec([
      'test',
      '-s',
      kubeletConfigFile,
      '-a',
      '-s',
      '/var/lib/kubelet/kubeadm-flags.env',
    ]);
    if (code === 0) {
      await node.startKubelet();
      return;
    }
    await sleep(200);
  }
}

/** As kubeadm prints it: SHA-256 over the public key of the cluster's authority. */
function caCertHash(caPem: string): string {
  const publicKey = new X509Certificate(caPem).publicKey.export({ type: 'spki', format: 'der' });
  return `sha256:${createHash('sha256').update(publicKey).digest('hex')}`;
}
