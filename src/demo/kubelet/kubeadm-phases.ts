// Makes the first nodes of a cluster with kubeadm's own phases, all at the same time, and writes what kubeadm writes into the cluster.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SigningKeyFiles } from '../control-plane/signing-key-files.ts';
import type { BedNode } from './bed-node.ts';
import {
  type ClusterSettings,
  firstMembersConfiguration,
  initConfiguration,
  patches,
  patchesDirectory,
} from './kubeadm-config.ts';

/** Paths in a node. */
export const initFile = '/var/lib/kubeadm/init.yaml';
const etcdFile = '/var/lib/kubeadm/etcd.yaml';

export interface KubeadmSettings {
  readonly cluster: ClusterSettings;
  readonly apiServerGracePeriodSeconds: number | undefined;
}

/** Gives a node kubeadm's patches, and its configuration. */
export async function writeKubeadmFiles(
  node: BedNode,
  { cluster, apiServerGracePeriodSeconds }: KubeadmSettings,
  members: readonly BedNode[],
): Promise<void> {
  const files = new Map([
    [initFile, initConfiguration(cluster, node)],
    [etcdFile, firstMembersConfiguration(cluster, node, members)],
  ]);
  for (const [name, text] of patches(`/${node.cgroup}`, apiServerGracePeriodSeconds)) {
    files.set(`${patchesDirectory}/${name}`, text);
  }
  await node.writeVar(files);
}

/** The authorities and the signing key, on the first node, and copies of them on the others. */
export async function makeSharedPki(nodes: readonly BedNode[], signingKey: SigningKeyFiles): Promise<void> {
  const [first, ...others] = nodes;
  if (first === undefined) return;
  await mkdir(first.pkiDirectory, { recursive: true });
  // kubeadm takes a pair that is there already.
  await writeFile(join(first.pkiDirectory, 'sa.key'), signingKey.privatePem, { mode: 0o600 });
  await writeFile(join(first.pkiDirectory, 'sa.pub'), signingKey.publicPem, { mode: 0o644 });
  await phases(first, ['certs all']);
  await Promise.all(others.map((node) => node.copySharedPki(first)));
}

/** What the first nodes do by themselves at another time, or in another way. */
const skipped = [
  'preflight', // looks for what belongs to the machine: swap, kernel modules, the version of containerd
  'etcd',
  'wait-control-plane',
  'upload-config',
  'upload-certs',
  'mark-control-plane',
  'bootstrap-token',
  'kubelet-finalize',
  'addon',
  'show-join-command',
];

/** Everything that a node needs before its kubelet starts: certificates, kubeconfigs, manifests, kubelet's configuration. */
export async function makeNodeFiles(node: BedNode): Promise<void> {
  await phases(node, ['etcd local'], etcdFile);
  await node.namespaces.run(['kubeadm', 'init', '--config', initFile, `--skip-phases=${skipped.join(',')}`]);
}

/** What `kubeadm init` writes into a cluster whose API server serves: its configuration, bootstrap tokens, and the administrators' rights. */
export async function writeClusterObjects(first: BedNode): Promise<void> {
  await phases(first, ['upload-config all', 'bootstrap-token']);
}

/** Labels and taints of a control-plane node. */
export async function markControlPlane(node: BedNode): Promise<void> {
  await phases(node, ['mark-control-plane']);
}

/** Runs `kubeadm init phase ...` for each of the phases, in turn. @throws Error with what kubeadm said */
export async function phases(node: BedNode, names: readonly string[], file = initFile): Promise<void> {
  for (const name of names) {
    await node.namespaces.run(['kubeadm', 'init', 'phase', ...name.split(' '), '--config', file]);
  }
}
