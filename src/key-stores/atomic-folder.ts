// Folders that appear whole and private, or not at all, and are gone as a whole.
import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { KeyturnError } from '../errors.ts';
import { syncDirectory } from '../sync-directory.ts';
import { codeOf } from './private-file.ts';

/**
 * Makes the directory with permissions 0700 where it is missing.
 *
 * @throws FILE_TOO_OPEN where others may enter it; FILE_UNREADABLE where it cannot be made
 */
export async function ensurePrivateDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const { mode } = await stat(directory);
    if ((mode & 0o077) === 0) return;
  } catch (error) {
    throw unwritable(directory, error);
  }
  throw new KeyturnError('FILE_TOO_OPEN', `The directory ${directory} is open to others`, {
    subject: directory,
    remedy: `Run \`chmod 0700 ${directory}\``,
  });
}

/**
 * Creates a folder (0700) with one file (0600) in it. It appears with its whole content on disk, or not at all, and never replaces another: of
 * two writers one wins.
 *
 * @returns false where the folder is there already
 * @throws FILE_UNREADABLE where it cannot be written
 */
export async function createFolder(folder: string, fileName: string, content: string): Promise<boolean> {
  const temporary = besides(folder, 'new');
  try {
    await mkdir(temporary, { mode: 0o700 });
    await writeToDisk(join(temporary, fileName), content);
    await syncDirectory(temporary);
    await rename(temporary, folder);
    await syncDirectory(dirname(folder));
    return true;
  } catch (error) {
    if (['EEXIST', 'ENOTEMPTY'].includes(codeOf(error))) return false;
    throw unwritable(folder, error);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** A file that is going to take another's place in the same folder, and only in the very folder in which it was opened. */
export interface Replacement {
  /** @returns false where the folder was removed since, also where another has its name now. @throws FILE_UNREADABLE where it cannot be written */
  commit(content: string): Promise<boolean>;
  /** Leaves nothing behind where it was not committed. */
  close(): Promise<void>;
}

/**
 * Opened before the file is read: so what is committed replaces what was read, or nothing.
 *
 * @param file that `createFolder` made
 * @returns undefined where its folder is gone
 * @throws FILE_UNREADABLE where it cannot be written
 */
export async function openReplacement(file: string): Promise<Replacement | undefined> {
  const temporary = besides(file, 'new');
  const handle = await open(temporary, 'wx', 0o600).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw unwritable(file, error);
  });
  return (
    handle && {
      async commit(content) {
        try {
          await handle.writeFile(content);
          await handle.sync();
          await rename(temporary, file);
          await syncDirectory(dirname(file));
          return true;
        } catch (error) {
          if (codeOf(error) === 'ENOENT') return false;
          throw unwritable(file, error);
        }
      },
      async close() {
        await handle.close();
        await unlink(temporary).catch(() => undefined);
      },
    }
  );
}

/**
 * Removes a folder, which is gone at once and as a whole. Nothing happens where it is gone already.
 *
 * @throws FILE_UNREADABLE where it may not be removed
 */
export async function removeFolder(folder: string): Promise<void> {
  try {
    await rename(folder, besides(folder, 'removed'));
    await syncDirectory(dirname(folder));
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw unwritable(folder, error);
  }
  await clearRemoved(folder);
}

/** Clears away what a removal of the folder has left that was interrupted. @throws FILE_UNREADABLE where it may not be removed */
export async function clearRemoved(folder: string): Promise<void> {
  const parent = dirname(folder);
  try {
    const remains = (await readdir(parent)).filter((name) => name.startsWith(prefixOf(folder, 'removed')));
    for (const name of remains) await rm(join(parent, name), { recursive: true, force: true });
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw unwritable(folder, error);
  }
}

function besides(path: string, purpose: 'new' | 'removed'): string {
  return join(dirname(path), `${prefixOf(path, purpose)}${randomBytes(6).toString('hex')}`);
}

function prefixOf(path: string, purpose: 'new' | 'removed'): string {
  return `.${basename(path)}.${purpose}.`;
}

/** `wx` with a mode: the file is private from its first moment. The mode only shrinks by the umask. */
async function writeToDisk(path: string, content: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

function unwritable(path: string, error: unknown): KeyturnError {
  const reason = codeOf(error);
  return new KeyturnError('FILE_UNREADABLE', `${path} cannot be written (${reason})`, {
    subject: path,
    remedy: 'Let the key store point to a directory on a disk with room that the user who runs Keyturn may write',
    details: { reason },
  });
}
