// Composes a Shoot, whose rotation Gardener orders.
import { KubeApiServer } from '../api-servers/api-server.ts';
import { KubeClient } from '../api-servers/kube-client.ts';
import { loadKubeConfig } from '../api-servers/kube-config.ts';
import type { ClusterOn } from '../config/schema.ts';
import { GardenerPlatform } from '../platforms/gardener/gardener.ts';
import { ShootClient } from '../platforms/gardener/shoot-client.ts';
import type { ComposedPlatform, PlatformSurroundings } from './compose-platform.ts';

export async function composeGardener({
  cluster,
  client,
  resolve,
}: PlatformSurroundings<ClusterOn<'gardener'>>): Promise<ComposedPlatform> {
  const { namespace, probeServiceAccount, garden, ...others } = cluster.platform;
  const gardenConfig = await loadKubeConfig(resolve(garden.kubeconfig), garden.context);
  const probe = { namespace, name: probeServiceAccount };
  const apiServers = [new KubeApiServer({ node: garden.shoot, client, probe })];
  const platform = new GardenerPlatform({
    shoot: new ShootClient(new KubeClient(gardenConfig), { namespace: garden.namespace, name: garden.shoot }),
    apiServers,
    publishing: isServedByCluster(cluster.publisher.type) ? 'by-platform' : 'ours',
    workersRollout: others.workersRollout,
    timeoutMs: others.timeout,
    pollMs: others.pollInterval,
  });
  return { platform, nodeAgents: null, apiServers, auditLogs: [] };
}

/** By Gardener, or by the Shoot's own API servers: nothing is to be written. */
function isServedByCluster(publisher: ClusterOn<'gardener'>['publisher']['type']): boolean {
  return publisher === 'platform' || publisher === 'api-server';
}
