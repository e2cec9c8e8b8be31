// Does what kubelet does for a folder of static pod manifests, with plain processes instead of containers.
import { appendFileSync, type FSWatcher, mkdirSync, watch } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuardedProcess } from '../guarded-process.ts';
import { type CrashBackOff, type PodEvent, PodSupervisor } from './pod-supervisor.ts';
import { readStaticPod, type StaticPod } from './static-pod.ts';

export interface StaticPodRunnerOptions {
  readonly manifestsDirectory: string;
  /** Gets one `<pod>.log` per pod, and `runner.log`. */
  readonly logsDirectory: string;
  /** Programs by the first word of a pod's command; images are not looked at. */
  readonly programs: Readonly<Record<string, string>>;
  /** How often the folder is listed besides being watched. Default 20 s, kubelet's own. */
  readonly relistMs?: number;
  /** Default: 1 s doubling to 10 s, forgotten after 30 s of running. */
  readonly backOff?: CrashBackOff;
  readonly onEvent?: (event: PodEvent) => void;
}

/** Time in which several events of one change are taken as one. */
const settleMs = 20;

/**
 * Runs the pods of a folder. Names that start with `.` are ignored. A manifest that cannot be read is ignored too, and the pod
 * that its file stood for before goes on. Liveness probes are not looked at: a process that hangs stays.
 */
export class StaticPodRunner {
  readonly #options: StaticPodRunnerOptions;
  /** What each file said when it could last be read. */
  #podsByFile = new Map<string, StaticPod>();
  readonly #supervisors = new Map<string, PodSupervisor>();
  readonly #stopping = new Map<string, Promise<void>>();
  #watcher: FSWatcher | undefined;
  #relist: NodeJS.Timeout | undefined;
  #settle: NodeJS.Timeout | undefined;
  #reconciling: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(options: StaticPodRunnerOptions) {
    this.#options = options;
  }

  /** Nothing happens where it was stopped already. */
  async start(): Promise<void> {
    if (this.#isStopped) return;
    mkdirSync(this.#options.logsDirectory, { recursive: true });
    this.#watcher = watch(this.#options.manifestsDirectory, () => this.#reconcileSoon());
    this.#watcher.on('error', (error) => this.#log(`watching failed: ${error.message}`));
    this.#relist = setInterval(() => this.#reconcileSoon(), this.#options.relistMs ?? 20_000);
    await this.#reconcile();
  }

  /** The running process of a pod, or undefined where there is none at the moment. */
  process(pod: string): GuardedProcess | undefined {
    return this.#supervisors.get(pod)?.process;
  }

  /** Kills every pod and settles when they are gone. The manifests stay. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#watcher?.close();
    clearInterval(this.#relist);
    clearTimeout(this.#settle);
    await this.#reconciling;
    await Promise.all([...this.#supervisors.values()].map((supervisor) => supervisor.stop(true)));
    this.#supervisors.clear();
  }

  #reconcileSoon(): void {
    clearTimeout(this.#settle);
    this.#settle = setTimeout(() => {
      this.#reconciling = this.#reconciling.then(() => this.#reconcile());
    }, settleMs);
  }

  async #reconcile(): Promise<void> {
    if (this.#isStopped) return;
    this.#podsByFile = await this.#readManifests();
    const desired = new Map<string, StaticPod>();
    for (const [file, pod] of this.#podsByFile) {
      if (desired.has(pod.name)) this.#log(`${file}: ignored, another file has a pod ${pod.name}`);
      else desired.set(pod.name, pod);
    }
    for (const [name, supervisor] of this.#supervisors) {
      if (!desired.has(name)) this.#stopPod(name, supervisor);
    }
    for (const [name, pod] of desired) this.#runPod(name, pod);
  }

  /** In the order of the file names. */
  async #readManifests(): Promise<Map<string, StaticPod>> {
    const pods = new Map<string, StaticPod>();
    const names = await readdir(this.#options.manifestsDirectory).catch((error: unknown) => {
      this.#log(`listing failed: ${messageOf(error)}`);
      return [...this.#podsByFile.keys()];
    });
    for (const file of names.filter((name) => !name.startsWith('.')).toSorted()) {
      try {
        pods.set(file, readStaticPod(await readFile(join(this.#options.manifestsDirectory, file), 'utf8')));
      } catch (error) {
        this.#log(`${file}: ignored, ${messageOf(error)}`);
        const former = this.#podsByFile.get(file);
        if (former !== undefined) pods.set(file, former);
      }
    }
    return pods;
  }

  #runPod(name: string, pod: StaticPod): void {
    const running = this.#supervisors.get(name);
    if (running !== undefined) {
      if (running.hash !== pod.hash) this.#log(`${name}: new manifest`);
      running.update(pod);
      return;
    }
    const stopping = this.#stopping.get(name);
    if (stopping !== undefined) {
      // The removed pod of this name must be gone before its successor takes the same port.
      void stopping.then(() => this.#reconcileSoon());
      return;
    }
    const supervisor = new PodSupervisor(pod, {
      program: (word) => this.#options.programs[word],
      logFile: (podName) => join(this.#options.logsDirectory, `${podName}.log`),
      backOff: this.#options.backOff ?? { firstMs: 1000, longestMs: 10_000, forgottenAfterMs: 30_000 },
      onEvent: (event) => {
        this.#log(`${event.pod}: ${event.kind}`);
        this.#options.onEvent?.(event);
      },
      onMessage: (message) => this.#log(message),
    });
    this.#supervisors.set(name, supervisor);
  }

  #stopPod(name: string, supervisor: PodSupervisor): void {
    this.#supervisors.delete(name);
    const gone = supervisor.stop(false).finally(() => this.#stopping.delete(name));
    this.#stopping.set(name, gone);
  }

  #log(message: string): void {
    const file = join(this.#options.logsDirectory, 'runner.log');
    appendFileSync(file, `${new Date().toISOString()} ${message}\n`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
