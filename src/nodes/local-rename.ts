// Replaces a local file as a whole: written beside it under another name, brought to the disk, then renamed.
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf } from './node-errors.ts';
import { syncDirectory } from '../sync-directory.ts';
import type { WriteOptions } from './port.ts';

/**
 * @param guard called when the temporary file is complete, right before the rename; what it throws stops the write
 * @throws what the operating system says; no temporary file is left then
 */
export async function renameIntoPlace(
  target: string,
  content: string,
  options: WriteOptions,
  guard: () => Promise<void>,
): Promise<void> {
  const ownDirectory = dirname(target);
  await mkdir(ownDirectory, { recursive: true, mode: 0o700 });
  const { stagingDirectory } = options;
  if (stagingDirectory === undefined) return renameFrom(ownDirectory, target, content, options, guard);
  try {
    await mkdir(stagingDirectory, { recursive: true, mode: 0o700 });
    await renameFrom(stagingDirectory, target, content, options, guard);
  } catch (error) {
    // Another filesystem: a dot file beside the target is what is left. kubelet ignores names that begin with a dot.
    if (errnoOf(error) !== 'EXDEV') throw error;
    await renameFrom(ownDirectory, target, content, options, guard);
  }
}

/**
 * Removes what a writer that died has left of this file. A writer that is alive elsewhere loses its temporary file and fails: it can never
 * rename a part of a file into place.
 */
export async function clearTemporaryFiles(directory: string, name: string): Promise<void> {
  const prefix = temporaryPrefix(name);
  for (const left of await readdir(directory)) {
    if (left.startsWith(prefix)) await rm(join(directory, left), { force: true });
  }
}

async function renameFrom(
  directory: string,
  target: string,
  content: string,
  options: WriteOptions,
  guard: () => Promise<void>,
): Promise<void> {
  const name = basename(target);
  await clearTemporaryFiles(directory, name);
  const temporary = join(directory, `${temporaryPrefix(name)}${randomUUID()}`);
  try {
    await writeDurably(temporary, content, options);
    await guard();
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(dirname(target));
}

async function writeDurably(path: string, content: string, { mode, uid, gid }: WriteOptions): Promise<void> {
  // For nobody else at first: who opens it while it still has our group could read on when the content is there.
  const handle = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    const made = await handle.stat();
    // Only where it differs: an ordinary user may not give files away, and has no need to.
    if (made.gid !== gid) await handle.chown(made.uid, gid);
    await handle.chmod(mode);
    if (made.uid !== uid) await handle.chown(uid, gid);
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function temporaryPrefix(name: string): string {
  return `.${name}.keyturn-`;
}
