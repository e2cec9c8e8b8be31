// Real files on the local disk, with a virtual clock for their times and a place where a run can be made to die.
import { LocalNodeFiles } from '../../src/nodes/local.ts';
import type { NodeFile, NodeFiles, WriteOptions } from '../../src/nodes/port.ts';

export class Died extends Error {}

export class FakeNodeFiles implements NodeFiles {
  readonly node: string;
  /** Called around every change of a file, in order. */
  around: (moment: 'before' | 'after', path: string) => void | Promise<void> = () => undefined;
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
    const file = await this.#local.read(path);
    return file === undefined ? undefined : { ...file, modifiedAtMs: this.#writtenAt.get(path) ?? this.#startedAt };
  }

  async write(path: string, content: string, options: WriteOptions): Promise<void> {
    await this.around('before', path);
    await this.#local.write(path, content, options);
    this.#writtenAt.set(path, this.#now());
    await this.around('after', path);
  }

  list(directory: string): Promise<readonly string[]> {
    return this.#local.list(directory);
  }

  async remove(path: string): Promise<void> {
    await this.around('before', path);
    await this.#local.remove(path);
    await this.around('after', path);
  }
}
