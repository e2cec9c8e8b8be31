// Creates a file whole and private, or not at all.
import { randomBytes } from 'node:crypto';
import { link, mkdir, open, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { KeyturnError } from '../errors.ts';
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
 * Creates a file with permissions 0600. It appears with its whole content on disk, or not at all, and never replaces another: of two
 * writers one wins.
 *
 * @returns false where the file is there already
 * @throws FILE_UNREADABLE where it cannot be written
 */
export async function createPrivateFile(path: string, content: string): Promise<boolean> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  try {
    await writeToDisk(temporary, content);
    await link(temporary, path);
    await syncDirectory(dirname(path));
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw unwritable(path, error);
  } finally {
    await unlink(temporary).catch(() => undefined);
  }
}

/** Removes a file; nothing happens where it is gone already. @throws FILE_UNREADABLE where it may not be removed */
export async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
    await syncDirectory(dirname(path));
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw unwritable(path, error);
  }
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

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
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
