// Lets kubeadm write a node's manifests anew from what the cluster remembers, as an upgrade does.
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import type { BedCluster } from './bed-cluster.ts';
import type { BedNode } from './bed-node.ts';
import { initConfigurationWith } from './kubeadm-config.ts';
import { phases } from './kubeadm-phases.ts';

const file = '/var/lib/kubeadm/regenerate.yaml';

/** `kubeadm init phase control-plane all` with the ClusterConfiguration of the `kubeadm-config` ConfigMap. @throws Error with what kubeadm said */
export async function regenerateControlPlane(node: BedNode, cluster: BedCluster): Promise<void> {
  const config = new KubeConfig();
  config.loadFromFile(cluster.adminKubeconfigPath);
  const { data } = await config
    .makeApiClient(CoreV1Api)
    .readNamespacedConfigMap({ namespace: 'kube-system', name: 'kubeadm-config' });
  const clusterYaml = data?.['ClusterConfiguration'];
  if (clusterYaml === undefined) throw new Error('the kubeadm-config ConfigMap holds no ClusterConfiguration');
  await node.writeVar(new Map([[file, initConfigurationWith(cluster.kubeadm.cluster, node, clusterYaml)]]));
  await phases(node, ['control-plane all'], file);
}
