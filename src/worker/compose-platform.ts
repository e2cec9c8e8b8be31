// Picks the platform of a cluster, and what comes with it: API servers, agents on nodes, audit logs.
import type { KubeConfig } from '@kubernetes/client-node';
import type { AuditLog } from '../activities/cluster-adapters.ts';
import type { KubeClient } from '../api-servers/kube-client.ts';
import type { ApiServer } from '../api-servers/port.ts';
import { isOn, type ClusterConfig } from '../config/schema.ts';
import type { NodeAgents } from '../nodes/port.ts';
import type { Platform } from '../platforms/port.ts';
import { composeGardener } from './compose-gardener.ts';
import { composeGkectl } from './compose-gkectl.ts';
import { composeOpenShift } from './compose-openshift.ts';
import { composeStaticPod } from './compose-static-pod.ts';

export interface PlatformSurroundings<Cluster extends ClusterConfig = ClusterConfig> {
  readonly cluster: Cluster;
  readonly kubeConfig: KubeConfig;
  readonly client: KubeClient;
  /** Makes paths of the configuration absolute. */
  readonly resolve: (file: string) => string;
  /** `read-only` for whoever only looks at nodes. */
  readonly access: 'read-write' | 'read-only';
}

export interface ComposedPlatform {
  readonly platform: Platform;
  /** Null where nodes are reached without any, or not at all. */
  readonly nodeAgents: NodeAgents | null;
  readonly apiServers: readonly ApiServer[];
  /** Empty where none can be read. */
  readonly auditLogs: readonly AuditLog[];
}

export async function composePlatform({ cluster, ...others }: PlatformSurroundings): Promise<ComposedPlatform> {
  if (isOn(cluster, 'openshift')) return composeOpenShift({ cluster, ...others });
  if (isOn(cluster, 'gardener')) return composeGardener({ cluster, ...others });
  if (isOn(cluster, 'gkectl')) return composeGkectl({ cluster, ...others });
  if (isOn(cluster, 'static-pod')) return composeStaticPod({ cluster, ...others });
  throw new TypeError(`platform "${cluster.platform.type}" has no composition`);
}
