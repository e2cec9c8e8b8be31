// Composes a user cluster of Google Distributed Cloud, whose rotation gkectl orders.
import { KubeApiServer } from '../api-servers/api-server.ts';
import type { ClusterOn } from '../config/schema.ts';
import { GkectlPlatform } from '../platforms/gkectl/gkectl.ts';
import type { ComposedPlatform, PlatformSurroundings } from './compose-platform.ts';

export async function composeGkectl({
  cluster,
  client,
  resolve,
}: PlatformSurroundings<ClusterOn<'gkectl'>>): Promise<ComposedPlatform> {
  const { namespace, probeServiceAccount, apiServers: configured, command, ...others } = cluster.platform;
  const probe = { namespace, name: probeServiceAccount };
  const apiServers = configured.map(
    ({ name, url }) => new KubeApiServer({ node: name, client: client.at(url), probe }),
  );
  const platform = new GkectlPlatform({
    gkectl: {
      // A bare name is looked for on the PATH.
      command: command.includes('/') ? resolve(command) : command,
      userClusterConfig: resolve(others.userClusterConfig),
      adminKubeconfig: resolve(others.adminKubeconfig),
    },
    apiServers,
    deadlineMs: others.deadline,
    pollMs: others.pollInterval,
  });
  return { platform, nodeAgents: null, apiServers, auditLogs: [] };
}
