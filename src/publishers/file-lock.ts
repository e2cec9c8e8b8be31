// Lets one writer at a time replace a file, also of several processes. Writers that are not Keyturn's know nothing of it.
import { open, rename, stat, unlink } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { systemCodeOf } from './file-errors.ts';

/** A writer holds it for milliseconds: one that has had it for so long is dead. */
const STALE_MS = 60_000;

/**
 * Runs `work` while a lock file lies beside the file.
 *
 * @returns `undefined` where another writer holds the lock
 */
export async function withFileLock<T>(
  lock: string,
  work: () => Promise<T>,
): Promise<{ readonly result: T } | undefined> {
  if (!(await take(lock))) return undefined;
  try {
    return { result: await work() };
  } finally {
    await unlink(lock).catch(() => undefined);
  }
}

async function take(lock: string): Promise<boolean> {
  try {
    await (await open(lock, 'wx', 0o600)).close();
    return true;
  } catch (error) {
    if (systemCodeOf(error) !== 'EEXIST') throw error;
    await clearStale(lock);
    return false;
  }
}

/** Of several that find it stale, one moves it away; it is taken anew at the next attempt. */
async function clearStale(lock: string): Promise<void> {
  const found = await stat(lock).catch(() => undefined);
  if (found === undefined || Date.now() - found.mtimeMs < STALE_MS) return;
  const aside = `${lock}.${randomUUID()}`;
  await rename(lock, aside).catch(() => undefined);
  await unlink(aside).catch(() => undefined);
}
