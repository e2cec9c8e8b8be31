// Reaches a cluster to look at it, and takes away again what that took.
import type { ClusterAdapters } from '../activities/cluster-adapters.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { ClusterConfig } from '../config/schema.ts';
import { composeCluster } from '../worker/compose-cluster.ts';

/** As a shell tells that a program was interrupted. */
const INTERRUPTED = 130;

/** @param purpose stands on agents that are made to reach nodes; they are removed also where a person interrupts us */
export async function lookAtCluster<T>(
  config: LoadedConfig,
  cluster: ClusterConfig,
  purpose: string,
  look: (adapters: ClusterAdapters) => Promise<T>,
): Promise<T> {
  const adapters = await composeCluster(config, cluster, 'read-only');
  const { nodeAgents } = adapters;
  if (nodeAgents === null) return look(adapters);
  nodeAgents.workFor(purpose);
  const stop = (): void => void nodeAgents.release().finally(() => process.exit(INTERRUPTED));
  process.once('SIGINT', stop);
  try {
    return await look(adapters);
  } finally {
    process.off('SIGINT', stop);
    await nodeAgents.release();
  }
}
