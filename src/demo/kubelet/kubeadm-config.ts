// The configuration files with which kubeadm makes a bed's nodes, and what it does not know: the mounts and cgroups of this machine.
import { stringify } from 'yaml';
import { versions } from '../components/versions.ts';
import type { Flags } from '../control-plane/kubeadm-manifests.ts';
import { etcdImageTag } from './container-images.ts';

const apiVersion = 'kubeadm.k8s.io/v1beta4';
const criSocket = 'unix:///run/containerd/containerd.sock';
/** Where a node keeps kubeadm's patches. */
export const patchesDirectory = '/var/lib/kubeadm/patches';

/** Three members on one machine, which is busy at times: a leader that gets no processor for a second is not lost. The data need not survive a power cut. */
const etcdFlags = { 'heartbeat-interval': '300', 'election-timeout': '3000', 'unsafe-no-fsync': 'true' } as const;

export interface ClusterSettings {
  /** `<address>:<port>` of the load balancer. */
  readonly endpoint: string;
  /** Names and addresses of API servers besides those that kubeadm adds by itself. */
  readonly serverNames: readonly string[];
  readonly issuer: string;
  readonly apiServerFlags: Flags;
  readonly controllerManagerFlags: Flags;
  readonly fileCheckFrequencySeconds: number | undefined;
  /** Of kubeadm's bootstrap tokens, `<6 characters>.<16 characters>`. */
  readonly bootstrapToken: string;
}

export interface NodeIdentity {
  readonly name: string;
  readonly address: string;
}

/** For `kubeadm init` and its phases. The cluster's part is what the `kubeadm-config` ConfigMap holds. */
export function initConfiguration(cluster: ClusterSettings, node: NodeIdentity): string {
  return documents(nodePart(cluster, node), clusterPart(cluster), kubeletPart(cluster));
}

/** For the etcd phase of the first nodes, which start together instead of one after the other. Not for the ConfigMap: it would bind those that join. */
export function firstMembersConfiguration(
  cluster: ClusterSettings,
  node: NodeIdentity,
  members: readonly NodeIdentity[],
): string {
  const initialCluster = members.map(({ name, address }) => `${name}=https://${address}:2380`).join(',');
  const flags = { ...etcdFlags, 'initial-cluster': initialCluster, 'initial-cluster-state': 'new' };
  const part = clusterPart(cluster);
  const local = { ...part.etcd.local, extraArgs: argumentList(flags) };
  return documents(nodePart(cluster, node), { ...part, etcd: { local } });
}

/** For `kubeadm join --control-plane`. */
export function joinConfiguration(cluster: ClusterSettings, node: NodeIdentity, caCertHash: string): string {
  return documents({
    apiVersion,
    kind: 'JoinConfiguration',
    discovery: {
      bootstrapToken: {
        apiServerEndpoint: cluster.endpoint,
        token: cluster.bootstrapToken,
        caCertHashes: [caCertHash],
      },
    },
    controlPlane: { localAPIEndpoint: { advertiseAddress: node.address, bindPort: 6443 } },
    nodeRegistration: nodeRegistration(node),
    patches: { directory: patchesDirectory },
  });
}

/** InitConfiguration of a node with a ClusterConfiguration that is at hand as YAML, e.g. the ConfigMap's. */
export function initConfigurationWith(cluster: ClusterSettings, node: NodeIdentity, clusterYaml: string): string {
  return `${documents(nodePart(cluster, node))}---\n${clusterYaml}`;
}

/** kubeadm patches of one node, by file name. */
export function patches(
  cgroupRoot: string,
  apiServerGracePeriodSeconds: number | undefined,
): ReadonlyMap<string, string> {
  const files = new Map([['kubeletconfiguration.yaml', stringify({ cgroupRoot })]]);
  if (apiServerGracePeriodSeconds !== undefined) {
    const spec = { terminationGracePeriodSeconds: apiServerGracePeriodSeconds };
    files.set('kube-apiserver.yaml', stringify({ spec }));
  }
  return files;
}

function nodePart(cluster: ClusterSettings, node: NodeIdentity) {
  return {
    apiVersion,
    kind: 'InitConfiguration',
    bootstrapTokens: [{ token: cluster.bootstrapToken }],
    localAPIEndpoint: { advertiseAddress: node.address, bindPort: 6443 },
    nodeRegistration: nodeRegistration(node),
    patches: { directory: patchesDirectory },
  };
}

function nodeRegistration({ name, address }: NodeIdentity) {
  return { name, criSocket, kubeletExtraArgs: argumentList({ 'node-ip': address }) };
}

function clusterPart(cluster: ClusterSettings) {
  return {
    apiVersion,
    kind: 'ClusterConfiguration',
    kubernetesVersion: `v${versions['kube-apiserver']}`,
    controlPlaneEndpoint: cluster.endpoint,
    networking: { serviceSubnet: '10.96.0.0/12', dnsDomain: 'cluster.local' },
    apiServer: {
      certSANs: cluster.serverNames,
      extraArgs: argumentList({ 'service-account-issuer': cluster.issuer, ...cluster.apiServerFlags }),
    },
    // Its metrics are to be seen from outside of the node.
    controllerManager: { extraArgs: argumentList({ 'bind-address': '0.0.0.0', ...cluster.controllerManagerFlags }) },
    etcd: { local: { imageTag: etcdImageTag, dataDir: '/var/lib/etcd', extraArgs: argumentList(etcdFlags) } },
  };
}

function kubeletPart(cluster: ClusterSettings) {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    cgroupDriver: 'cgroupfs',
    // Machines with the former version of cgroups, and without a hierarchy by quality of service.
    failCgroupV1: false,
    cgroupsPerQOS: false,
    enforceNodeAllocatable: ['none'],
    failSwapOn: false,
    // Lower would need CAP_SYS_RESOURCE, which containers and some virtual machines lack.
    oomScoreAdj: 0,
    makeIPTablesUtilChains: false,
    // A full disk of the machine is not the bed's business.
    imageGCHighThresholdPercent: 100,
    evictionHard: { 'nodefs.available': '0%', 'nodefs.inodesFree': '0%', 'imagefs.available': '0%' },
    ...(cluster.fileCheckFrequencySeconds === undefined
      ? {}
      : { fileCheckFrequency: `${cluster.fileCheckFrequencySeconds}s` }),
  };
}

function argumentList(flags: Flags): readonly { readonly name: string; readonly value: string }[] {
  return Object.entries(flags).map(([name, value]) => ({ name, value }));
}

function documents(...parts: readonly object[]): string {
  return parts.map((part) => stringify(part)).join('---\n');
}
