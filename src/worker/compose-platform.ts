// Picks the platform of a cluster by what keyturn.yaml says, with the API servers that it has.
import type { KubeConfig } from '@kubernetes/client-node';
import type { AuditLog } from '../activities/cluster-adapters.ts';
import { KubeApiServer } from '../api-servers/api-server.ts';
import { createComponentProbe } from '../api-servers/component-probe.ts';
import { KubeClient } from '../api-servers/kube-client.ts';
import { loadKubeConfig } from '../api-servers/kube-config.ts';
import type { ClusterLock } from '../cluster-lock/port.ts';
import type { GardenerConfig, GkectlConfig } from '../config/managed-platform-schema.ts';
import type { ClusterConfig, NodeConfig, StaticPodCluster } from '../config/schema.ts';
import type { NodeAgents } from '../nodes/port.ts';
import type { Platform } from '../platforms/port.ts';
import { StaticPodPlatform } from '../platforms/static-pod/static-pod.ts';
import { isUnfinished } from '../rotation/record.ts';
import { composeNodes } from './compose-nodes.ts';

export interface ComposedPlatform {
  readonly platform: Platform;
  /** In the order of the configuration. */
  readonly apiServers: readonly KubeApiServer[];
  /** Null where nodes are reached without any. */
  readonly nodeAgents: NodeAgents | null;
  readonly auditLogs: readonly AuditLog[];
}

export interface PlatformSurroundings {
  readonly kubeConfig: KubeConfig;
  /** Makes paths of the configuration absolute. */
  readonly resolve: (file: string) => string;
  /** `read-only` for whoever only looks at nodes. */
  readonly access: 'read-write' | 'read-only';
  readonly lock: Pick<ClusterLock, 'read'>;
}

export async function composePlatform(
  cluster: ClusterConfig,
  surroundings: PlatformSurroundings,
): Promise<ComposedPlatform> {
  const { platform } = cluster;
  switch (platform.type) {
    case 'static-pod':
      return composeStaticPod({ ...cluster, platform }, surroundings);
    case 'gkectl':
      return composeGkectl(platform, surroundings);
    case 'gardener':
      return composeGardener(cluster, platform, surroundings);
  }
}

async function composeStaticPod(
  cluster: StaticPodCluster,
  { kubeConfig, resolve, access }: PlatformSurroundings,
): Promise<ComposedPlatform> {
  const composed = await composeNodes(cluster, kubeConfig, resolve, access);
  const nodes = composed.nodes.map(({ config: node, files, manifestsDirectory, url }) => {
    const apiServer = apiServerAt(cluster.platform, kubeConfig, node.name, url);
    return { name: node.name, files, apiServer, manifestsDirectory, url, ...controllerManagerOf(node) };
  });

  function controllerManagerOf({ controllerManager }: NodeConfig) {
    return controllerManager === undefined
      ? {}
      : { controllerManager: createComponentProbe(kubeConfig, controllerManager) };
  }

  return {
    platform: new StaticPodPlatform({
      nodes,
      nodeAgents: composed.agents !== null,
      readyTimeoutMs: cluster.policies.readyTimeout,
    }),
    apiServers: nodes.map(({ apiServer }) => apiServer),
    nodeAgents: composed.agents,
    auditLogs: auditLogsOf(cluster.platform.nodes, nodes),
  };
}

function auditLogsOf(
  configured: readonly NodeConfig[],
  nodes: readonly Pick<AuditLog, 'files'>[],
): readonly AuditLog[] {
  return configured.flatMap(({ name, auditLog }, index) => {
    const files = nodes[index]?.files;
    return auditLog === undefined || files === undefined ? [] : [{ node: name, path: auditLog, files }];
  });
}

async function composeGkectl(
  config: GkectlConfig,
  { kubeConfig, resolve, lock }: PlatformSurroundings,
): Promise<ComposedPlatform> {
  const { GkectlPlatform } = await import('../platforms/gkectl/gkectl.ts');
  const apiServers = config.apiServers.map(({ name, url }) => apiServerAt(config, kubeConfig, name, url));
  const platform = new GkectlPlatform({
    gkectl: {
      // A bare name is looked for on the PATH.
      command: config.command.includes('/') ? resolve(config.command) : config.command,
      userClusterConfig: resolve(config.userClusterConfig),
      adminKubeconfig: resolve(config.adminKubeconfig),
    },
    apiServers,
    deadlineMs: config.deadline,
    pollMs: config.pollInterval,
    isUnderWay: () => isUnderWay(lock),
  });
  return { platform, apiServers, nodeAgents: null, auditLogs: [] };
}

async function composeGardener(
  { publisher }: ClusterConfig,
  config: GardenerConfig,
  { kubeConfig, resolve, lock }: PlatformSurroundings,
): Promise<ComposedPlatform> {
  const { GardenerPlatform } = await import('../platforms/gardener/gardener.ts');
  const { ShootClient } = await import('../platforms/gardener/shoot-client.ts');
  const { kubeconfig, context, namespace, shoot } = config.garden;
  const garden = new KubeClient(await loadKubeConfig(resolve(kubeconfig), context));
  const { url } = new KubeClient(kubeConfig);
  const apiServers = [apiServerAt(config, kubeConfig, shoot, url)];
  const platform = new GardenerPlatform({
    shoot: new ShootClient(garden, { namespace, name: shoot }),
    apiServers,
    publishing: publisher.type === 'platform' ? 'by-platform' : 'ours',
    workersRollout: config.workersRollout,
    timeoutMs: config.timeout,
    pollMs: config.pollInterval,
    isUnderWay: () => isUnderWay(lock),
  });
  return { platform, apiServers, nodeAgents: null, auditLogs: [] };
}

async function isUnderWay(lock: Pick<ClusterLock, 'read'>): Promise<boolean> {
  return isUnfinished((await lock.read()).record);
}

function apiServerAt(
  { namespace, probeServiceAccount }: Pick<GkectlConfig, 'namespace' | 'probeServiceAccount'>,
  kubeConfig: KubeConfig,
  node: string,
  url: string,
): KubeApiServer {
  const client = new KubeClient(kubeConfig).at(url);
  return new KubeApiServer({ node, client, probe: { namespace, name: probeServiceAccount } });
}
