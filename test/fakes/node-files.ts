// Real files on the local disk, with a virtual clock for their times and a place where a run can be made to die.
import { KeyturnError } from '../../src/errors.ts';
import { LocalNodeFiles } from '../../src/nodes/local.ts';
import type { NodeFile, NodeFiles, WriteOptions } from '../../src/nodes/port.ts';
import { FakeWatchdog } from './node-watchdog.ts';

export class Died extends Error {}

export class FakeNodeFiles implements NodeFiles {
  readonly node: string;
  /** Called around every change of a file, in order. */
  around: (moment: 'before' | 'after', path: string) => void | Promise<void> = () => undefined;
  /** Present after `reachThroughPods`. */
  watchdog?: FakeWatchdog;
  /** False while nobody gets to the node. */
  isReachable: () => boolean = () => true;
  readonly #local: LocalNodeFiles;
  readonly #now: () => number;
  readonly #writtenAt = new Map<string, number>();
  readonly #startedAt: number;

  constructor(node: string, now: () => number) {
    this.node = node;
    this.#local = new LocalNodeFiles(node);
    this.#now = now;
    this.#startedAt = now();
  }

  /** From now on as with agent pods: there is a watchdog, and there are times at which nobody gets to the node. */
  reachThroughPods(isReachable: () => boolean): FakeWatchdog {
    this.isReachable = isReachable;
    const written = (path: string) => this.#writtenAt.set(path, this.#now());
    this.watchdog = new FakeWatchdog(this.#now, () => this.#reach(), written);
    return this.watchdog;
  }

  /** The run dies before or after the nth change that it makes from now on. Counts on; `dieNever` ends it. */
  dieAt(nth: number, moment: 'before' | 'after'): void {
    let count = 0;
    this.around = (when, path) => {
      if (when === 'before') count += 1;
      if (when === moment && count === nth) throw new Died(`${moment} ${path}`);
    };
  }

  dieNever(): void {
    this.around = () => undefined;
  }

  async read(path: string): Promise<NodeFile | undefined> {
    this.#reach();
    const file = await this.#local.read(path);
    return file === undefined ? undefined : { ...file, modifiedAtMs: this.#writtenAt.get(path) ?? this.#startedAt };
  }

  async write(path: string, content: string, options: WriteOptions): Promise<void> {
    this.#reach();
    await this.around('before', path);
    await this.#local.write(path, content, options);
    this.#writtenAt.set(path, this.#now());
    await this.around('after', path);
  }

  async list(directory: string): Promise<readonly string[]> {
    this.#reach();
    return this.#local.list(directory);
  }

  async remove(path: string): Promise<void> {
    this.#reach();
    await this.around('before', path);
    await this.#local.remove(path);
    await this.around('after', path);
  }

  #reach(): void {
    if (this.isReachable()) return;
    throw new KeyturnError('NODE_UNREACHABLE', `${this.node} cannot be reached`, {
      subject: this.node,
      remedy: 'Wait',
      retryable: true,
    });
  }
}
