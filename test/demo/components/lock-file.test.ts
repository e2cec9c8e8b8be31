// The lock between processes, also after its owner was killed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withLock } from '../../../src/demo/components/lock-file.ts';

let directory: string;
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), 'keyturn-lock-'))));
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('withLock', () => {
  it('lets one in at a time and leaves nothing behind', async () => {
    let inside = 0;
    let most = 0;
    const waits: number[] = [];
    const work = async (): Promise<void> => {
      most = Math.max(most, ++inside);
      await sleep(20);
      inside--;
    };
    await Promise.all([1, 2, 3].map(() => withLock(join(directory, 'lock'), work, (pid) => waits.push(pid))));
    expect(most).toBe(1);
    expect(new Set(waits)).toEqual(new Set([process.pid]));
    expect(await readdir(directory)).toEqual([]);
  });

  it('gives the lock back where the work fails', async () => {
    const failing = withLock(
      join(directory, 'lock'),
      () => Promise.reject(new Error('no')),
      () => undefined,
    );
    await expect(failing).rejects.toThrow('no');
    expect(await readdir(directory)).toEqual([]);
  });

  it('takes over, once, from an owner that no longer runs', async () => {
    const gone = spawn('true');
    await once(gone, 'exit');
    await writeFile(join(directory, 'lock'), String(gone.pid));
    let inside = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      most = Math.max(most, ++inside);
      await sleep(20);
      inside--;
    };
    await Promise.all(Array.from({ length: 8 }, () => withLock(join(directory, 'lock'), work, () => undefined)));
    expect(most).toBe(1);
    expect(await readdir(directory)).toEqual([]);
  });
});
