// Composes a cluster whose control plane OpenShift's kube-apiserver operator runs.
import { KubeApiServer } from '../api-servers/api-server.ts';
import type { ClusterOn } from '../config/schema.ts';
import { OpenShiftPlatform } from '../platforms/openshift/openshift.ts';
import type { ComposedPlatform, PlatformSurroundings } from './compose-platform.ts';

export async function composeOpenShift({
  cluster,
  client,
}: PlatformSurroundings<ClusterOn<'openshift'>>): Promise<ComposedPlatform> {
  const { namespace, probeServiceAccount, apiServers: configured, ...pace } = cluster.platform;
  const probe = { namespace, name: probeServiceAccount };
  const apiServers = configured.map(
    ({ name, url }) => new KubeApiServer({ node: name, client: client.at(url), probe }),
  );
  return {
    platform: new OpenShiftPlatform({
      client,
      apiServers,
      timeoutMs: pace.timeout,
      pollMs: pace.pollInterval,
      restartAfterMs: pace.restartAfter,
    }),
    nodeAgents: null,
    apiServers,
    auditLogs: [],
  };
}
