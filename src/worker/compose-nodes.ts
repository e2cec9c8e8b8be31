// How the files of a cluster's nodes are reached, by what keyturn.yaml says: picks the way of access of each node.
import { posix } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { KubeCluster } from '../api-servers/cluster.ts';
import { KubeClient } from '../api-servers/kube-client.ts';
import { accessOf, sshSettingsOf } from '../config/node-access.ts';
import type { ClusterOn, NodeConfig } from '../config/schema.ts';
import { KeyturnError } from '../errors.ts';
import { LocalNodeFiles } from '../nodes/local.ts';
import type { AgentSettings } from '../nodes/pod/agent-manifest.ts';
import { AgentPods } from '../nodes/pod/agent-pods.ts';
import { ApiServers } from '../nodes/pod/api-servers.ts';
import { findControlPlaneNode } from '../nodes/pod/control-plane-node.ts';
import { PodNodeFiles } from '../nodes/pod/pod-node-files.ts';
import { PodShell } from '../nodes/pod/pod-shell.ts';
import type { NodeAgents, NodeFiles } from '../nodes/port.ts';
import { ShellNodeFiles } from '../nodes/shell/shell-node-files.ts';
import { SshShell } from '../nodes/ssh/ssh-shell.ts';
import { readApiServerUrl } from '../platforms/static-pod/api-server-url.ts';

/** A person at a gate may take days: agents that nobody has used for that long are removed meanwhile. */
const AGENTS_IDLE_MS = 600_000;

interface ComposedNode {
  readonly config: NodeConfig;
  readonly files: NodeFiles;
  readonly manifestsDirectory: string;
  /** The API server's own address. */
  readonly url: string;
}

interface ComposedNodes {
  /** In the order of the configuration. */
  readonly nodes: readonly ComposedNode[];
  /** Null where no node is reached through agent pods. */
  readonly agents: NodeAgents | null;
}

/**
 * @param resolve makes paths of the configuration absolute
 * @param access `read-only` for whoever only looks
 * @throws NODE_UNREACHABLE, API_SERVER_UNREACHABLE where the address of an API server has to be found out and its node cannot be asked
 */
export async function composeNodes(
  cluster: ClusterOn<'static-pod'>,
  kubeConfig: KubeConfig,
  resolve: (file: string) => string,
  access: AgentSettings['access'],
): Promise<ComposedNodes> {
  const pods = composePodAccess(cluster, kubeConfig, access);
  try {
    return { nodes: await Promise.all(cluster.platform.nodes.map(compose)), agents: pods?.agents ?? null };
  } catch (error) {
    // Nobody else knows of them.
    await pods?.agents.release().catch(() => undefined);
    throw error;
  }

  async function compose(config: NodeConfig): Promise<ComposedNode> {
    const kind = accessOf(cluster, config);
    const manifestsDirectory = kind === 'local' ? resolve(config.manifests) : config.manifests;
    const files = filesOf(config, kind);
    const known = config.apiServer ?? (kind === 'pod' ? await pods?.apiServerUrlOf(config.name) : undefined);
    return { config, files, manifestsDirectory, url: known ?? (await readApiServerUrl(files, manifestsDirectory)) };
  }

  function filesOf(config: NodeConfig, kind: ReturnType<typeof accessOf>): NodeFiles {
    if (kind === 'pod' && pods !== null) return pods.filesOf(config);
    if (kind === 'local') return new LocalNodeFiles(config.name);
    const { configFile, ...target } = sshSettingsOf(cluster, config);
    const file = configFile === undefined ? {} : { configFile: resolve(configFile) };
    return new ShellNodeFiles(new SshShell({ node: config.name, ...target, ...file }));
  }
}

/** Null where no node is reached through agent pods. */
export function composePodAccess(
  cluster: ClusterOn<'static-pod'>,
  kubeConfig: KubeConfig,
  access: AgentSettings['access'],
) {
  const { platform, policies } = cluster;
  const isNeeded = platform.nodes.some((node) => accessOf(cluster, node) === 'pod');
  if (platform.pod === undefined || !isNeeded) return null;
  const { requireControlPlaneLabel, seLinuxType, ...pod } = platform.pod;
  const client = new KubeClient(kubeConfig);
  const apiServers = new ApiServers(client, () => new KubeCluster({ client }).apiServerAddresses());
  const folders = new Map(platform.nodes.map(({ name, manifests }) => [name, watchdogFolder(manifests)]));
  const agents = new AgentPods({
    settings: {
      ...pod,
      ...(seLinuxType === undefined ? {} : { seLinuxType }),
      cluster: cluster.name,
      access,
      watchdogFolder: (node) => folders.get(node) ?? '',
    },
    apiServers,
    requireControlPlaneLabel,
    idleMs: policies.readyTimeout + AGENTS_IDLE_MS,
  });

  /** undefined where the cluster does not tell: then the manifest does. */
  async function apiServerUrlOf(node: string): Promise<string | undefined> {
    try {
      const { addresses } = await findControlPlaneNode(apiServers, node, requireControlPlaneLabel);
      return await apiServers.urlAt(addresses);
    } catch (error) {
      // What is wrong with a node is told by observing it, together with everything else.
      if (error instanceof KeyturnError && !error.retryable) return undefined;
      throw error;
    }
  }

  function filesOf({ name, manifests }: NodeConfig): NodeFiles {
    const shell = new PodShell({ node: name, agents, apiServers, kubeConfig });
    return new PodNodeFiles(shell, pod.hostPaths, watchdogFolder(manifests));
  }

  return { agents, apiServerUrlOf, filesOf };
}

/** Beside the folder of the manifests, on the same disk. */
function watchdogFolder(manifests: string): string {
  return posix.join(posix.dirname(posix.normalize(manifests)), 'keyturn-watchdog');
}
