// One node of a kubelet bed: its namespaces, its place in the network, and the daemons in it.
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandOutput } from '../components/run-command.ts';
import type { GuardedProcess } from '../guarded-process.ts';
import type { BedNetwork } from './bed-network.ts';
import type { BedPrograms } from './bed-options.ts';
import { startContainerd } from './containerd.ts';
import { copyImageStore } from './image-store.ts';
import { makeCgroup, removeCgroup } from './node-cgroups.ts';
import { NodeNamespaces } from './node-namespaces.ts';
import type { BedSsh } from './node-sshd.ts';

export interface BedNodeSettings {
  readonly name: string;
  /** From 1 on. */
  readonly number: number;
  readonly directory: string;
  /** The bed's cgroup, e.g. `keyturn-4f2a`. */
  readonly bedCgroup: string;
  readonly programs: BedPrograms;
  readonly network: BedNetwork;
  readonly ssh: BedSsh;
}

/** As kubeadm's unit for systemd starts it. */
const kubeletScript = `
. /var/lib/kubelet/kubeadm-flags.env
echo $$ > /run/kubelet.pid
exec kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf \\
  --config=/var/lib/kubelet/config.yaml $KUBELET_KUBEADM_ARGS
`;

export class BedNode {
  readonly name: string;
  readonly address: string;
  readonly namespaces: NodeNamespaces;
  readonly #settings: BedNodeSettings;
  #kubelet: GuardedProcess | undefined;

  constructor(settings: BedNodeSettings) {
    const { kubelet, kubeadm } = settings.programs;
    this.#settings = settings;
    this.name = settings.name;
    this.address = settings.network.nodeAddress(settings.number);
    this.namespaces = new NodeNamespaces({
      name: settings.name,
      directory: settings.directory,
      programs: { kubelet, kubeadm },
    });
  }

  /** Stands for /etc/kubernetes. */
  get directory(): string {
    return this.namespaces.kubernetesDirectory;
  }

  get manifestsDirectory(): string {
    return join(this.directory, 'manifests');
  }

  get pkiDirectory(): string {
    return join(this.directory, 'pki');
  }

  get apiServerUrl(): string {
    return `https://${this.address}:6443`;
  }

  get controllerManagerUrl(): string {
    return `https://${this.address}:10257`;
  }

  /** Path below the roots of all cgroup hierarchies. */
  get cgroup(): string {
    return `${this.#settings.bedCgroup}/${this.name}`;
  }

  /** Gives containerd its images. Once, before the first boot. */
  async copyImages(store: string): Promise<void> {
    await copyImageStore(store, join(this.namespaces.diskDirectory, 'var', 'lib', 'containerd'));
  }

  /** Everything but kubelet. @throws Error with what did not start */
  async boot(): Promise<void> {
    const { network, number, ssh } = this.#settings;
    await makeCgroup(this.cgroup);
    await this.namespaces.boot();
    await network.attach(this.name, number, this.namespaces.initPid);
    await Promise.all([startContainerd(this.namespaces), ssh.startServer(this.namespaces, this.address)]);
  }

  /** Kills all of it. The disk stays. */
  async halt(): Promise<void> {
    await this.namespaces.halt();
    this.#kubelet = undefined;
    await removeCgroup(this.cgroup);
  }

  /** The part that is large. Logs and /etc/kubernetes stay. */
  async removeDisk(): Promise<void> {
    await rm(this.namespaces.diskDirectory, { recursive: true, force: true });
  }

  async startKubelet(): Promise<void> {
    this.#kubelet ??= await this.namespaces.start('kubelet', ['sh', '-euc', kubeletScript]);
  }

  /** SIGTERM. Its pods go on. */
  async stopKubelet(): Promise<void> {
    if (this.#kubelet === undefined) return;
    await this.namespaces.run(['sh', '-euc', 'kill "$(cat /run/kubelet.pid)"']);
    await this.#kubelet.exited;
    this.#kubelet = undefined;
  }

  /** Settles when kubelet ends, whyever; never where it is not running. */
  async whenKubeletEnds(): Promise<void> {
    await (this.#kubelet?.exited ?? new Promise(() => undefined));
  }

  async exec(command: readonly string[], input?: string): Promise<CommandOutput> {
    return this.namespaces.exec(command, input === undefined ? {} : { input });
  }

  /** Gives files to the node below /var, by path. */
  async writeVar(files: ReadonlyMap<string, string>): Promise<void> {
    for (const [path, text] of files) {
      const file = join(this.namespaces.diskDirectory, path);
      await mkdir(join(file, '..'), { recursive: true });
      await writeFile(file, text, { mode: 0o600 });
    }
  }

  /** Brings the files that all control-plane nodes share, as a person does before `kubeadm join --control-plane`. */
  async copySharedPki(from: BedNode): Promise<void> {
    await mkdir(join(this.pkiDirectory, 'etcd'), { recursive: true });
    for (const name of ['ca', 'front-proxy-ca', 'etcd/ca']) {
      await copyFile(join(from.pkiDirectory, `${name}.crt`), join(this.pkiDirectory, `${name}.crt`));
      await copyFile(join(from.pkiDirectory, `${name}.key`), join(this.pkiDirectory, `${name}.key`));
    }
    for (const name of ['sa.key', 'sa.pub']) {
      await copyFile(join(from.pkiDirectory, name), join(this.pkiDirectory, name));
    }
  }
}
