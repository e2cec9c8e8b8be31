// A kubelet bed while it is up.
import { join } from 'node:path';
import type { CommandOutput } from '../components/run-command.ts';
import type { ApiServerRestart } from '../control-plane/restart-log.ts';
import { ApiServerRestarts } from './api-server-restarts.ts';
import { type BedCluster, makeCluster } from './bed-cluster.ts';
import { BedMachines } from './bed-machines.ts';
import type { BedNode } from './bed-node.ts';
import type { KubeletBedOptions } from './bed-options.ts';
import { shellImage } from './container-images.ts';
import { joinNode, removeNode } from './joining-nodes.ts';
import { regenerateControlPlane } from './kubeadm-regenerate.ts';
import { initFile } from './kubeadm-phases.ts';
import type { KubeletBed, KubeletBedNode } from './kubelet-bed.ts';
import type { SshAccess } from './node-sshd.ts';

export class RunningBed implements KubeletBed {
  readonly shellImage = shellImage;
  readonly #machines: BedMachines;
  readonly #cluster: BedCluster;
  readonly #restarts = new Map<string, ApiServerRestarts>();
  #stopping: Promise<void> | undefined;

  static async start(options: KubeletBedOptions): Promise<RunningBed> {
    options.onProgress?.(`Starting ${options.nodes ?? 3} machines with containerd and kubelet`);
    const machines = await BedMachines.prepare(options);
    try {
      return new RunningBed(machines, await makeCluster(machines, options));
    } catch (error) {
      await machines.stop();
      throw error;
    }
  }

  private constructor(machines: BedMachines, cluster: BedCluster) {
    this.#machines = machines;
    this.#cluster = cluster;
    for (const node of machines.nodes) this.#watch(node);
  }

  get nodes(): readonly KubeletBedNode[] {
    return this.#machines.nodes;
  }

  get id(): string {
    return this.#machines.id;
  }

  get subnet(): string {
    return this.#machines.network.prefix;
  }

  get ssh(): SshAccess {
    return this.#machines.ssh.access;
  }

  get issuer(): string {
    return this.#cluster.issuer;
  }

  get loadBalancerUrl(): string {
    return this.#cluster.loadBalancer.url;
  }

  get adminKubeconfigPath(): string {
    return this.#cluster.adminKubeconfigPath;
  }

  get keyturnKubeconfigPath(): string {
    return this.#cluster.keyturnKubeconfigPath;
  }

  get caPath(): string {
    return this.#cluster.caPath;
  }

  async exec(node: string, command: readonly string[], input?: string): Promise<CommandOutput> {
    return this.#node(node).exec(command, input);
  }

  async killApiServer(node: string): Promise<void> {
    await this.#signalApiServer(node, 'KILL');
  }

  async freezeApiServer(node: string): Promise<void> {
    await this.#signalApiServer(node, 'STOP');
  }

  async thawApiServer(node: string): Promise<void> {
    await this.#signalApiServer(node, 'CONT');
  }

  apiServerRestarts(node: string): readonly ApiServerRestart[] {
    return this.#restarts.get(this.#node(node).name)?.restarts ?? [];
  }

  async stopKubelet(node: string): Promise<void> {
    await this.#node(node).stopKubelet();
  }

  async startKubelet(node: string): Promise<void> {
    await this.#node(node).startKubelet();
  }

  async haltNode(node: string): Promise<void> {
    await this.#node(node).halt();
  }

  async rebootNode(name: string): Promise<void> {
    const node = this.#node(name);
    await node.halt();
    await node.boot();
    await node.startKubelet();
  }

  async cutNetwork(node: string): Promise<void> {
    await this.#machines.network.cut(this.#node(node).name);
  }

  async restoreNetwork(node: string): Promise<void> {
    await this.#machines.network.restore(this.#node(node).name);
  }

  async regenerateControlPlane(node: string): Promise<void> {
    await regenerateControlPlane(this.#node(node), this.#cluster);
  }

  async regenerateSigningKey(node: string): Promise<string> {
    return this.#node(node).namespaces.run(['kubeadm', 'init', 'phase', 'certs', 'sa', '--config', initFile]);
  }

  async joinNode(copyKeysFrom?: string): Promise<KubeletBedNode> {
    const source = this.#node(copyKeysFrom ?? this.nodes[0]?.name ?? '');
    const node = await joinNode(this.#machines, this.#cluster, source);
    this.#watch(node);
    return node;
  }

  async removeNode(name: string): Promise<void> {
    const node = this.#node(name);
    this.#restarts.get(name)?.close();
    this.#restarts.delete(name);
    await removeNode(this.#machines, this.#cluster, node);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #stopAll(): Promise<void> {
    for (const restarts of this.#restarts.values()) restarts.close();
    await this.#cluster.loadBalancer.stop();
    await this.#machines.stop();
  }

  async #signalApiServer(name: string, signal: 'KILL' | 'STOP' | 'CONT'): Promise<void> {
    // Only the node's own processes are in its PID namespace.
    await this.#node(name).namespaces.run(['busybox', 'killall', `-${signal}`, 'kube-apiserver']);
  }

  #watch(node: BedNode): void {
    const { apiServerUrl, namespaces } = node;
    const podLogs = join(namespaces.logsDirectory, 'pods');
    this.#restarts.set(node.name, new ApiServerRestarts(apiServerUrl, this.#cluster.caPem, podLogs));
  }

  #node(name: string): BedNode {
    return this.#machines.node(name);
  }
}
