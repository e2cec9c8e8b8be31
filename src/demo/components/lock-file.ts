// A lock between processes of one machine: a file that holds the pid of its owner.
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const pollMs = 250;

/**
 * Runs `work` while holding the lock. A lock whose owner no longer runs is taken over.
 * @param onWait called every 250 ms while another process has it
 */
export async function withLock<T>(file: string, work: () => Promise<T>, onWait: (pid: number) => void): Promise<T> {
  const own = `${file}.${process.pid}.${crypto.randomUUID()}`;
  await writeFile(own, String(process.pid));
  try {
    // link() is atomic and brings the content along: no other process ever sees an empty lock.
    while (!(await tryLink(own, file))) {
      const pid = await readPid(file);
      if (pid !== undefined && !isRunning(pid)) await removeStale(file, pid);
      else {
        if (pid !== undefined) onWait(pid);
        await sleep(pollMs);
      }
    }
  } finally {
    await rm(own, { force: true });
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

/** Two processes may see the same stale lock: what is removed must still be that one, not the lock that the other has made since. */
async function removeStale(file: string, pid: number): Promise<void> {
  const aside = `${file}.stale.${crypto.randomUUID()}`;
  await rename(file, aside).catch(() => undefined);
  const found = await readPid(aside);
  if (found !== undefined && found !== pid) await tryLink(aside, file);
  await rm(aside, { force: true });
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function readPid(file: string): Promise<number | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : Number(text);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
