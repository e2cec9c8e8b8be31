// Keeps the metrics of key ages up to date while the worker runs.
import type { MetricMeter } from '@temporalio/common';
import type { LoadedConfig } from '../config/load.ts';
import { composeReads, type ClusterState } from './compose-reads.ts';
import { KeyAgeMetrics } from './key-age-metrics.ts';

/** @returns what ends it */
export function tellKeyAges(config: LoadedConfig, meter: MetricMeter): () => void {
  const clusters = config.clusters.map((cluster) => {
    let composed: ClusterState | undefined;
    return {
      name: cluster.name,
      maxKeyAgeMs: cluster.policies.maxKeyAge,
      readRecord: async () => {
        // Not before it is needed, and again until it works: a kubeconfig may be mounted late.
        composed ??= await composeReads(config, cluster);
        return (await composed.lock.read()).record;
      },
    };
  });
  return new KeyAgeMetrics({ meter, clusters, now: Date.now }).start();
}
