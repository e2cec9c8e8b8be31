// A watchdog in virtual time: what is armed is put back when its time has come, whether anybody reaches the node or not.
import { createHash } from 'node:crypto';
import { chownSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { NodeWatchdog, PutBack } from '../../src/nodes/port.ts';

export class FakeWatchdog implements NodeWatchdog {
  armed: { readonly putBacks: readonly PutBack[]; readonly at: number } | undefined;
  /** Paths that were put back, in order. */
  readonly putBack: string[] = [];
  readonly #now: () => number;
  readonly #reach: () => void;
  readonly #onWritten: (path: string) => void;

  /** @param reach throws while the node cannot be reached */
  constructor(now: () => number, reach: () => void, onWritten: (path: string) => void) {
    this.#now = now;
    this.#reach = reach;
    this.#onWritten = onWritten;
  }

  async arm(putBacks: readonly PutBack[], afterMs: number): Promise<void> {
    this.#reach();
    this.armed = { putBacks, at: this.#now() + afterMs };
  }

  async disarm(): Promise<boolean> {
    this.#reach();
    const wasArmed = this.armed !== undefined;
    this.armed = undefined;
    return wasArmed;
  }

  /** Called as time passes. */
  tick(): void {
    if (this.armed === undefined || this.#now() < this.armed.at) return;
    const { putBacks } = this.armed;
    this.armed = undefined;
    for (const { path, content, mode, uid, gid, onlyIfSha256 } of putBacks) {
      if (!existsSync(path) || sha256(readFileSync(path)) !== onlyIfSha256) continue;
      const temporary = join(dirname(dirname(path)), '.put-back');
      writeFileSync(temporary, content, { mode });
      chownSync(temporary, uid, gid);
      renameSync(temporary, path);
      this.#onWritten(path);
      this.putBack.push(path);
    }
  }
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
