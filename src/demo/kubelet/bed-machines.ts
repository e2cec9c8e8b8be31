// The machines of a bed before there is a cluster on them: their network, their images, and their end.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { catalog } from '../components/catalog.ts';
import type { OnProgress } from '../components/component.ts';
import { getComponent } from '../components/get-component.ts';
import { BedNetwork } from './bed-network.ts';
import { BedNode } from './bed-node.ts';
import type { BedPrograms, KubeletBedOptions } from './bed-options.ts';
import { type BedRecord, cgroupOf, forgetBed, registerBed } from './bed-registry.ts';
import { whyNoKubeletBed } from './bed-requirements.ts';
import { getImageStore } from './image-store.ts';
import { removeCgroup } from './node-cgroups.ts';
import { BedSsh } from './node-sshd.ts';

/** A node's number is part of its address, which certificates name: so many are possible in a bed. */
export const mostNodes = 9;

export class BedMachines {
  readonly network: BedNetwork;
  readonly ssh: BedSsh;
  readonly #directory: string;
  readonly #record: BedRecord;
  readonly #programs: BedPrograms;
  readonly #imageStore: string;
  #nodes: readonly BedNode[] = [];
  #lastNumber = 0;

  /** @throws Error with why this machine cannot run a bed, or what failed; nothing is left behind */
  static async prepare(options: KubeletBedOptions): Promise<BedMachines> {
    const reason = await whyNoKubeletBed();
    if (reason !== undefined) throw new Error(reason);
    const { directory, onProgress = () => undefined } = options;
    const programs = options.programs ?? (await getPrograms(onProgress));
    const imageStore = await getImageStore(programs, onProgress);
    await mkdir(directory, { recursive: true });
    const ssh = await BedSsh.create(join(directory, 'ssh'));
    const record = await registerBed(directory);
    const machines = new BedMachines(directory, record, programs, imageStore, ssh);
    try {
      await machines.network.start(directory);
      return machines;
    } catch (error) {
      await machines.stop();
      throw error;
    }
  }

  private constructor(directory: string, record: BedRecord, programs: BedPrograms, imageStore: string, ssh: BedSsh) {
    this.#directory = directory;
    this.#record = record;
    this.#programs = programs;
    this.#imageStore = imageStore;
    this.ssh = ssh;
    this.network = new BedNetwork(record.id, record.subnet);
  }

  get id(): string {
    return this.#record.id;
  }

  get nodes(): readonly BedNode[] {
    return this.#nodes;
  }

  node(name: string): BedNode {
    const node = this.#nodes.find((candidate) => candidate.name === name);
    if (node === undefined) throw new RangeError(`no node ${name} in this bed`);
    return node;
  }

  /** Boots further nodes, `node-<n>`, side by side. They have all images when it settles, and no kubelet yet. */
  async add(count: number): Promise<readonly BedNode[]> {
    const added = Array.from({ length: count }, () => this.#newNode());
    this.#nodes = [...this.#nodes, ...added];
    await this.ssh.writeClientFiles(this.#nodes);
    await allSettled(
      added.map(async (node) => {
        await node.copyImages(this.#imageStore);
        await node.boot();
      }),
    );
    return added;
  }

  async remove(node: BedNode): Promise<void> {
    await node.halt();
    await node.removeDisk();
    this.#nodes = this.#nodes.filter((other) => other !== node);
    await this.ssh.writeClientFiles(this.#nodes);
  }

  /** Leaves nothing but logs, /etc/kubernetes of each node, and client files. */
  async stop(): Promise<void> {
    await allSettled(
      this.#nodes.map(async (node) => {
        await node.halt();
        await node.removeDisk();
      }),
    );
    await this.network.stop();
    await removeCgroup(cgroupOf(this.#record));
    await forgetBed(this.#record);
  }

  #newNode(): BedNode {
    this.#lastNumber += 1;
    if (this.#lastNumber > mostNodes) throw new RangeError(`a bed has at most ${mostNodes} nodes`);
    const name = `node-${this.#lastNumber}`;
    return new BedNode({
      name,
      number: this.#lastNumber,
      directory: join(this.#directory, name),
      bedCgroup: cgroupOf(this.#record),
      programs: this.#programs,
      network: this.network,
      ssh: this.ssh,
    });
  }
}

async function getPrograms(onProgress: OnProgress): Promise<BedPrograms> {
  const find = (name: keyof BedPrograms): Promise<string> => getComponent(catalog[name], { onProgress });
  // One after the other: they are built from the same sources.
  return {
    'kube-apiserver': await find('kube-apiserver'),
    'kube-controller-manager': await find('kube-controller-manager'),
    'kube-scheduler': await find('kube-scheduler'),
    kubelet: await find('kubelet'),
    kubeadm: await find('kubeadm'),
    etcd: await find('etcd'),
  };
}

/** Waits for all, also where one fails: what goes on in the background could not be taken down. @throws the first error */
async function allSettled(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
}
