// What can be read of a cluster with its kubeconfig alone, without the secrets and the nodes that a rotation needs.
import path from 'node:path';
import { KubeCluster } from '../api-servers/cluster.ts';
import { KubeClient } from '../api-servers/kube-client.ts';
import { loadKubeConfig } from '../api-servers/kube-config.ts';
import { LeaseLock } from '../cluster-lock/lease.ts';
import type { ClusterLock } from '../cluster-lock/port.ts';
import type { NodeAgents } from '../nodes/port.ts';
import { composePodAccess } from './compose-nodes.ts';
import type { LoadedConfig } from '../config/load.ts';
import { isOn, type ClusterConfig } from '../config/schema.ts';
import type { ProbePods } from '../probe-pods/port.ts';
import { composeProbePods } from './compose-probe-pods.ts';

export interface ClusterState {
  readonly lock: Pick<ClusterLock, 'read'>;
  /** Names of temporary Secrets that are there now: a step under way uses one for seconds, a run that died leaves it. */
  leftovers(): Promise<readonly string[]>;
  /** Null where nodes are reached without any. */
  readonly nodeAgents: Pick<NodeAgents, 'present'> | null;
  /** Null where none is configured. */
  readonly probePods: ProbePods | null;
}

/** @throws FILE_UNREADABLE and what else speaks against the kubeconfig; no server is asked */
export async function composeReads(config: LoadedConfig, cluster: ClusterConfig): Promise<ClusterState> {
  const { name, platform } = cluster;
  const { namespace, probeServiceAccount } = platform;
  const kubeconfig = path.resolve(path.dirname(config.file), platform.kubeconfig);
  const kubeConfig = await loadKubeConfig(kubeconfig, platform.context);
  const client = new KubeClient(kubeConfig);
  const reads = new KubeCluster({ client, namespace, probeServiceAccount });
  return {
    lock: new LeaseLock({ client, namespace, cluster: name }),
    leftovers: () => reads.leftovers(),
    nodeAgents: isOn(cluster, 'static-pod')
      ? (composePodAccess(cluster, kubeConfig, 'read-only')?.agents ?? null)
      : null,
    probePods: composeProbePods(cluster, kubeConfig),
  };
}
