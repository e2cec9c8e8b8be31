// What faults need around a rotation: cables that can be pulled, a front before the object store, a small disk, workers of several kinds.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { parse, stringify } from 'yaml';
import type { BlobStore } from '../../src/demo/blob-store.ts';
import { observeCommand } from '../../src/demo/components/run-command.ts';
import type { EmbeddedControlPlane } from '../../src/demo/control-plane/control-plane.ts';
import type { GuardedProcess } from '../../src/demo/guarded-process.ts';
import { NextVersion } from './next-version.ts';
import { preload } from './preload.ts';
import { CuttingProxy } from '../fixtures/cutting-proxy.ts';
import { openScene, type Scene } from '../integration/rotation-scene.ts';
import { FaultyFront } from './faulty-front.ts';

export type WorkerKind = 'as it is' | 'clock 10 min behind' | 'clock 10 min ahead';

const TEN_MINUTES_MS = 600_000;
const WORKER_STOP_MS = 15_000;
const workflowsPath = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));

export class FaultScene {
  readonly scene: Scene;
  readonly embedded: EmbeddedControlPlane;
  readonly front: FaultyFront;
  /** Between the worker and each API server, by node. */
  readonly cables: ReadonlyMap<string, CuttingProxy>;
  /** Each pki folder is a disk of 1 MiB; false where this machine cannot mount one. */
  readonly hasSmallDisks: boolean;
  /** Workers that were started, the first included. */
  workersStarted = 0;
  readonly nextVersion: NextVersion;
  #worker: GuardedProcess | undefined;
  #hasEnded = false;

  /** @throws what keeps the environment from starting; nothing is left running */
  static async open(): Promise<FaultScene> {
    let front: FaultyFront | undefined;
    const scene = await openScene({
      etcdMembers: 3,
      blobStoreFront: async (store: BlobStore) => (front = await FaultyFront.start(store)).store,
      policies: {
        drain: { policy: 'fixed', duration: '5s', allowShorter: 'test' },
        probeInterval: '1s',
        probeReload: '1s',
        readyTimeout: '60s',
      },
    });
    if (front === undefined || scene.embedded === undefined) throw new Error('this needs an embedded control plane');
    const cables = await layCables(scene);
    const hasSmallDisks = await mountSmallDisks(scene);
    const faultScene = new FaultScene(scene, scene.embedded, front, cables, hasSmallDisks);
    try {
      await faultScene.#bundleWorkflows();
      await faultScene.startWorker();
    } catch (error) {
      await faultScene.close();
      throw error;
    }
    return faultScene;
  }

  private constructor(
    scene: Scene,
    embedded: EmbeddedControlPlane,
    front: FaultyFront,
    cables: ReadonlyMap<string, CuttingProxy>,
    hasSmallDisks: boolean,
  ) {
    this.scene = scene;
    this.embedded = embedded;
    this.front = front;
    this.cables = cables;
    this.hasSmallDisks = hasSmallDisks;
    this.nextVersion = new NextVersion(scene);
  }

  /** In place of the one that runs now, which must be gone. */
  async startWorker(kind: WorkerKind = 'as it is'): Promise<void> {
    this.#hasEnded = false;
    const worker = await this.scene.startWorker('default', this.#environmentOf(kind));
    this.workersStarted += 1;
    this.#worker = worker;
    void worker.exited.then(() => {
      if (this.#worker === worker) this.#hasEnded = true;
    });
  }

  async killWorker(): Promise<void> {
    this.#worker?.signal('SIGKILL');
    await this.#worker?.exited;
  }

  async replaceWorker(kind: WorkerKind): Promise<void> {
    await this.#worker?.stop(WORKER_STOP_MS);
    await this.startWorker(kind);
  }

  /** As whoever supervises it does: systemd, a Deployment. True where it had ended. */
  async reviveWorker(): Promise<boolean> {
    if (!this.#hasEnded) return false;
    await this.startWorker();
    return true;
  }

  apiServerRestarts(): number {
    const { nodes } = this.embedded;
    return nodes.reduce((sum, { name }) => sum + this.embedded.apiServerRestarts(name).length, 0);
  }

  pkiOf(node: string): string {
    return this.#node(node).pkiDirectory;
  }

  manifestsOf(node: string): string {
    return this.#node(node).manifestsDirectory;
  }

  async close(): Promise<void> {
    await this.nextVersion.end();
    await this.scene.stop();
    for (const cable of this.cables.values()) await cable.close();
    await this.front.close();
    if (this.hasSmallDisks) {
      for (const { pkiDirectory } of this.embedded.nodes) await succeeds('umount', ['-l', pkiDirectory]);
    }
    await this.scene.close();
  }

  /** Once for all workers: many are started, and each would take seconds to make the same. */
  async #bundleWorkflows(): Promise<void> {
    const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
    await writeFile(this.#bundleFile, code);
  }

  get #bundleFile(): string {
    return path.join(this.scene.directory, 'workflows.js');
  }

  #environmentOf(kind: WorkerKind): Readonly<Record<string, string>> {
    const shiftMs = { 'as it is': 0, 'clock 10 min ahead': TEN_MINUTES_MS, 'clock 10 min behind': -TEN_MINUTES_MS };
    const preloaded = ['bundled-worker.ts', ...(kind === 'as it is' ? [] : ['shifted-clock.ts'])];
    return {
      NODE_OPTIONS: preloaded.map(preload).join(' '),
      KEYTURN_TEST_BUNDLE: this.#bundleFile,
      KEYTURN_TEST_CLOCK_MS: String(shiftMs[kind]),
    };
  }

  #node(name: string) {
    const node = this.embedded.nodes.find((each) => each.name === name);
    if (node === undefined) throw new RangeError(`no node ${name}`);
    return node;
  }
}

/** The worker reaches each API server through a proxy of ours: keyturn.yaml names it as that server's own address. */
async function layCables(scene: Scene): Promise<ReadonlyMap<string, CuttingProxy>> {
  const cables = new Map<string, CuttingProxy>();
  for (const { name, apiServerUrl } of scene.controlPlane.nodes) {
    cables.set(name, await CuttingProxy.start(Number(new URL(apiServerUrl).port)));
  }
  const config = parse(await readFile(scene.configFile, 'utf8')) as {
    clusters: { platform: { nodes: { name: string; apiServer?: string }[] } }[];
  };
  for (const node of config.clusters.flatMap(({ platform }) => platform.nodes)) {
    node.apiServer = `https://127.0.0.1:${cables.get(node.name)?.port}`;
  }
  await writeFile(scene.configFile, stringify(config));
  return cables;
}

/** The files stay, on file systems that a test can fill. */
async function mountSmallDisks({ controlPlane }: Scene): Promise<boolean> {
  for (const { pkiDirectory } of controlPlane.nodes) {
    if (!(await mountSmallDisk(pkiDirectory))) return false;
  }
  return true;
}

async function mountSmallDisk(directory: string): Promise<boolean> {
  const kept = await mkdtemp(path.join(tmpdir(), 'keyturn-pki-'));
  try {
    await cp(directory, kept, { recursive: true, preserveTimestamps: true });
    if (!(await succeeds('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=0755', 'tmpfs', directory]))) return false;
    await cp(kept, directory, { recursive: true, preserveTimestamps: true });
    return true;
  } finally {
    await rm(kept, { recursive: true, force: true });
  }
}

/** Whether a tool of the system did what was asked. */
export async function succeeds(program: string, programArguments: readonly string[]): Promise<boolean> {
  return observeCommand(program, programArguments).then(
    ({ code }) => code === 0,
    () => false,
  );
}
