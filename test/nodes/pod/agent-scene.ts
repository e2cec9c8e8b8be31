// Agent pods of a fake cluster, whose containers are busybox processes of this machine.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeClient } from '../../../src/api-servers/kube-client.ts';
import type { AgentSettings } from '../../../src/nodes/pod/agent-manifest.ts';
import { AgentPods } from '../../../src/nodes/pod/agent-pods.ts';
import type { AgentPodsOptions } from '../../../src/nodes/pod/agent-pods.ts';
import { ApiServers } from '../../../src/nodes/pod/api-servers.ts';
import { PodNodeFiles } from '../../../src/nodes/pod/pod-node-files.ts';
import { PodShell } from '../../../src/nodes/pod/pod-shell.ts';
import { COMMANDS } from '../../../src/nodes/shell/scripts.ts';
import { AgentCluster } from '../../fakes/agent-cluster.ts';
import { busyboxFolder } from '../../fixtures/child-shell.ts';

export class AgentScene {
  readonly cluster: AgentCluster;
  /** On the "node": what stands for /etc/kubernetes. */
  readonly directory: string;
  readonly #removeImage: () => Promise<void>;

  static async start(options: { nodes?: readonly string[]; protocol?: string } = {}): Promise<AgentScene> {
    const image = await busyboxFolder(['sh', ...COMMANDS]);
    const { nodes = ['node-1', 'node-2', 'node-3'], protocol } = options;
    const cluster = await AgentCluster.start({
      nodes,
      image: image.path,
      ...(protocol === undefined ? {} : { protocol }),
    });
    const directory = await mkdtemp(join(tmpdir(), 'keyturn-agents-'));
    await mkdir(join(directory, 'manifests'));
    return new AgentScene(cluster, directory, image.remove);
  }

  private constructor(cluster: AgentCluster, directory: string, removeImage: () => Promise<void>) {
    this.cluster = cluster;
    this.directory = directory;
    this.#removeImage = removeImage;
  }

  agents(settings: Partial<AgentSettings> = {}, options: Partial<AgentPodsOptions> = {}): AgentPods {
    return new AgentPods({
      settings: {
        cluster: 'prod',
        namespace: 'keyturn-agents',
        image: 'busybox:1.36',
        imagePullPolicy: 'IfNotPresent',
        imagePullSecrets: [],
        hostPaths: [this.directory],
        access: 'read-write',
        watchdogFolder: () => this.watchdogFolder,
        ...settings,
      },
      apiServers: this.apiServers(),
      startTimeoutMs: 20_000,
      doubtRefusalMs: 0,
      ...options,
    });
  }

  get watchdogFolder(): string {
    return join(this.directory, 'keyturn-watchdog');
  }

  apiServers(): ApiServers {
    const client = new KubeClient(this.cluster.kubeConfig());
    return new ApiServers(client, async () => this.cluster.servers.map(({ url }) => url));
  }

  filesOf(node: string, agents = this.agents()): PodNodeFiles {
    const kubeConfig = this.cluster.kubeConfig();
    const shell = new PodShell({ node, agents, apiServers: this.apiServers(), kubeConfig });
    return new PodNodeFiles(shell, [this.directory], this.watchdogFolder);
  }

  async close(): Promise<void> {
    await this.cluster.close();
    await rm(this.directory, { recursive: true });
    await this.#removeImage();
  }
}
