// containerd in a node: its configuration and its start.
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findOnPath } from '../components/find-on-path.ts';
import type { GuardedProcess } from '../guarded-process.ts';
import { cniPluginDirectories } from './bed-requirements.ts';
import { pauseImage } from './container-images.ts';
import type { NodeNamespaces } from './node-namespaces.ts';

const configFile = '/etc/containerd/bed.toml';
const cniDirectory = '/etc/cni/bed.d';
const startTimeoutMs = 30_000;

/** Settles when it serves. @throws Error where it does not after 30 s */
export async function startContainerd(node: NodeNamespaces): Promise<GuardedProcess> {
  await writeConfiguration(node);
  const containerd = await node.start('containerd', ['containerd', '--config', configFile]);
  for (const giveUpAt = Date.now() + startTimeoutMs; ; await sleep(50)) {
    const { code, stderr } = await node.exec(['ctr', '--connect-timeout', '1s', 'version']);
    if (code === 0) return containerd;
    if (Date.now() > giveUpAt) throw new Error(`containerd does not serve, see ${node.logsDirectory}: ${stderr}`);
  }
}

async function writeConfiguration(node: NodeNamespaces): Promise<void> {
  const plugin = await findOnPath('bridge', cniPluginDirectories.join(':'));
  const pluginDirectory = dirname(plugin ?? cniPluginDirectories[0]);
  await node.write(configFile, containerdToml(pluginDirectory));
  await node.write(`${cniDirectory}/10-bridge.conflist`, JSON.stringify(podNetwork));
}

/** restrict_oom_score_adj: containers whose score is to be lower than ours start all the same where CAP_SYS_RESOURCE is missing. */
function containerdToml(pluginDirectory: string): string {
  return `version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${pluginDirectory}"
    conf_dir = "${cniDirectory}"
`;
}

/** Each node has the same pod subnet: pods reach API servers and nodes, but no pod of another node. */
const podNetwork = {
  cniVersion: '0.4.0',
  name: 'bed',
  plugins: [
    {
      type: 'bridge',
      bridge: 'pods',
      isGateway: true,
      ipMasq: true,
      ipam: { type: 'host-local', ranges: [[{ subnet: '10.244.0.0/24' }]], routes: [{ dst: '0.0.0.0/0' }] },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
};
