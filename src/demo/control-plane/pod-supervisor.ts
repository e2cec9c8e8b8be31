// Keeps one static pod running: starts it, restarts it after a crash with a growing pause, and for a new manifest.
import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type GuardedProcess, startGuardedProcess } from '../guarded-process.ts';
import type { StaticPod } from './static-pod.ts';

export interface PodEvent {
  /** `stopping`: SIGTERM is about to be sent. `exited`: the process is gone. `started`: there is a new one. */
  readonly kind: 'stopping' | 'exited' | 'started';
  readonly pod: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export interface CrashBackOff {
  readonly firstMs: number;
  /** The pause doubles up to this. */
  readonly longestMs: number;
  /** A process that ran for so long starts over with the first pause. */
  readonly forgottenAfterMs: number;
}

export interface PodSupervisorOptions {
  /** Program for the first word of the command, e.g. `kube-apiserver`. */
  readonly program: (name: string) => string | undefined;
  readonly logFile: (pod: string) => string;
  readonly backOff: CrashBackOff;
  readonly onEvent: (event: PodEvent) => void;
  readonly onMessage: (message: string) => void;
}

export class PodSupervisor {
  readonly #options: PodSupervisorOptions;
  readonly #changes = new EventEmitter();
  #desired: StaticPod | undefined;
  #process: GuardedProcess | undefined;
  #immediately = false;
  readonly #ended: Promise<void>;

  constructor(pod: StaticPod, options: PodSupervisorOptions) {
    this.#desired = pod;
    this.#options = options;
    this.#ended = this.#run();
  }

  /** The running process, or undefined between two. */
  get process(): GuardedProcess | undefined {
    return this.#process;
  }

  get hash(): string | undefined {
    return this.#desired?.hash;
  }

  /** What is to run from now on. */
  update(pod: StaticPod): void {
    if (pod.hash === this.#desired?.hash) return;
    this.#desired = pod;
    this.#changes.emit('change');
  }

  /** Stops the pod for good, within its grace period or with SIGKILL. Settles when the process is gone. */
  async stop(immediately: boolean): Promise<void> {
    this.#immediately ||= immediately;
    this.#desired = undefined;
    this.#changes.emit('change');
    if (immediately) this.#process?.signal('SIGKILL');
    await this.#ended;
  }

  async #run(): Promise<void> {
    let pauseMs = this.#options.backOff.firstMs;
    for (;;) {
      const pod = this.#desired;
      if (pod === undefined) return;
      const startedAt = Date.now();
      const hasCrashed = await this.#runOnce(pod);
      if (!hasCrashed) {
        pauseMs = this.#options.backOff.firstMs;
        continue;
      }
      if (Date.now() - startedAt > this.#options.backOff.forgottenAfterMs) pauseMs = this.#options.backOff.firstMs;
      this.#options.onMessage(`${pod.name}: starts again in ${pauseMs / 1000} s`);
      await this.#pauseUnlessChanged(pod, pauseMs);
      pauseMs = Math.min(pauseMs * 2, this.#options.backOff.longestMs);
    }
  }

  /** True where the process ended by itself, false where another manifest made it end. */
  async #runOnce(pod: StaticPod): Promise<boolean> {
    const changed = new AbortController();
    const change = once(this.#changes, 'change', { signal: changed.signal }).catch(() => undefined);
    try {
      const running = await this.#start(pod);
      const exit = await Promise.race([running.exited, change.then(() => undefined)]);
      if (exit !== undefined && this.#desired === pod) {
        this.#options.onMessage(`${pod.name}: exited with ${exit.signal ?? exit.code}`);
        return true;
      }
      this.#emit('stopping', pod);
      await running.stop(this.#immediately ? 0 : pod.gracePeriodMs);
      return false;
    } catch (error) {
      this.#options.onMessage(`${pod.name}: ${error instanceof Error ? error.message : String(error)}`);
      return this.#desired === pod;
    } finally {
      changed.abort();
      if (this.#process !== undefined) this.#emit('exited', pod);
      this.#process = undefined;
    }
  }

  async #start(pod: StaticPod): Promise<GuardedProcess> {
    const [name = '', ...programArguments] = pod.command;
    const program = this.#options.program(name);
    if (program === undefined) throw new Error(`no program for ${name}`);
    const logFile = this.#options.logFile(pod.name);
    this.#process = await startGuardedProcess(program, programArguments, { logFile });
    this.#emit('started', pod);
    return this.#process;
  }

  async #pauseUnlessChanged(pod: StaticPod, pauseMs: number): Promise<void> {
    if (this.#desired !== pod) return;
    const done = new AbortController();
    const change = once(this.#changes, 'change', { signal: done.signal }).catch(() => undefined);
    await Promise.race([change, sleep(pauseMs, undefined, { signal: done.signal }).catch(() => undefined)]);
    done.abort();
  }

  #emit(kind: PodEvent['kind'], pod: StaticPod): void {
    this.#options.onEvent({ kind, pod: pod.name, at: Date.now() });
  }
}
