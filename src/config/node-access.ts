// How each configured node is reached, with the defaults of its platform, and what speaks against it.
import { posix } from 'node:path';
import { findRepeated } from './repeated.ts';
import type { ClusterOn, NodeConfig } from './schema.ts';

type StaticPodCluster = ClusterOn<'static-pod'>;
export type NodeAccess = NonNullable<NodeConfig['access']>;

export function accessOf({ platform }: StaticPodCluster, node: NodeConfig): NodeAccess {
  return node.access ?? platform.access;
}

export interface SshSettings {
  readonly host: string;
  readonly user?: string;
  readonly port?: number;
  readonly configFile?: string;
  readonly sudo: boolean;
}

export function sshSettingsOf({ platform }: StaticPodCluster, { name, ssh }: NodeConfig): SshSettings {
  const { host = name, ...own } = ssh ?? {};
  const merged = { ...platform.ssh, ...own };
  const { user, port, configFile } = merged;
  return {
    host,
    ...(user === undefined ? {} : { user }),
    ...(port === undefined ? {} : { port }),
    ...(configFile === undefined ? {} : { configFile }),
    sudo: own.sudo ?? platform.ssh.sudo,
  };
}

/** One machine under two names would leave another API server without the new key. undefined where nothing is wrong. */
export function findNodeProblem(cluster: StaticPodCluster): string | undefined {
  const { name, platform } = cluster;
  const by = (kind: NodeAccess) => platform.nodes.filter((node) => accessOf(cluster, node) === kind);
  const twice = findRepeated(platform.nodes.map((node) => node.name));
  if (twice !== undefined) return `two nodes of cluster "${name}" are named "${twice}"`;
  const manifests = findRepeated(by('local').map((node) => node.manifests));
  if (manifests !== undefined) {
    return `two nodes of cluster "${name}" have the same manifests folder ${manifests}: with access "local" each node is a folder of its own that the worker sees`;
  }
  const host = findRepeated(by('ssh').map((node) => titleOf(sshSettingsOf(cluster, node))));
  if (host !== undefined) return `two nodes of cluster "${name}" are the same ssh host ${host}`;
  const relative = [...by('ssh'), ...by('pod')].find((node) => !posix.isAbsolute(node.manifests));
  if (relative !== undefined) {
    return `the manifests folder ${relative.manifests} of node "${relative.name}" of cluster "${name}" is no absolute path on the node`;
  }
  return findPodProblem(cluster, by('pod'));
}

/** The manifests are replaced by way of the folder above theirs, where kubelet does not look. */
function findPodProblem({ name, platform }: StaticPodCluster, nodes: readonly NodeConfig[]): string | undefined {
  const [first] = nodes;
  if (first === undefined) return undefined;
  if (platform.pod === undefined) {
    return `node "${first.name}" of cluster "${name}" has access "pod", and platform.pod does not name an image`;
  }
  const { hostPaths } = platform.pod;
  const isSeen = (path: string) => hostPaths.some((folder) => path === folder || path.startsWith(`${folder}/`));
  const hidden = nodes.map(({ manifests }) => posix.dirname(posix.normalize(manifests))).find((path) => !isSeen(path));
  return hidden === undefined
    ? undefined
    : `platform.pod.hostPaths of cluster "${name}" does not have ${hidden}, the folder above a node's manifests`;
}

function titleOf({ host, port, configFile }: SshSettings): string {
  return `${host}${port === undefined ? '' : `:${port}`}${configFile === undefined ? '' : ` of ${configFile}`}`;
}
