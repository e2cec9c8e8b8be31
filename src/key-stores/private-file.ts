// Reads a file that holds a secret, and refuses it where others could have read it too.
import { constants, open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { KeyturnError } from '../errors.ts';

/** 1 MiB: no key file comes near it. */
const MAX_BYTES = 1_048_576;

/**
 * Permissions are judged as OpenSSH judges them: nobody else may read or write a file whose mode we can change, and where it belongs to another
 * (a Secret volume, owned by root and readable by our group) at least the rest of the world may not.
 *
 * @throws FILE_UNREADABLE where it is missing, not a file, too large, or may not be read; FILE_TOO_OPEN
 */
export async function readPrivateFile(path: string): Promise<string> {
  const file = await openForReading(path);
  try {
    // Judged and read through one handle: a file that is swapped in between is not what is read.
    const stats = await file.stat();
    const { mode, uid, size } = stats;
    if (!stats.isFile()) throw unreadable(path, 'it is not a regular file');
    const me = process.getuid?.() ?? uid;
    const forbidden = me === uid || me === 0 ? 0o077 : 0o007;
    if ((mode & forbidden) !== 0) throw tooOpen(path, mode);
    if (size > MAX_BYTES) throw unreadable(path, `it has ${size} bytes, which no key has`);
    return await file.readFile('utf8');
  } catch (error) {
    throw error instanceof KeyturnError ? error : unreadable(path, codeOf(error));
  } finally {
    await file.close();
  }
}

/** True where there is nothing at this path. Anything else that is wrong with it shows when it is read. */
export function isMissing(error: unknown): boolean {
  return error instanceof KeyturnError && error.details['reason'] === 'ENOENT';
}

async function openForReading(path: string): Promise<FileHandle> {
  try {
    // Without O_NONBLOCK a named pipe would be waited for.
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw unreadable(path, codeOf(error));
  }
}

function tooOpen(path: string, mode: number): KeyturnError {
  const octal = (mode & 0o777).toString(8).padStart(4, '0');
  return new KeyturnError(
    'FILE_TOO_OPEN',
    `${path} has the permissions ${octal}, so others can read or change the secret in it`,
    {
      subject: path,
      remedy: `Run \`chmod 0600 ${path}\`, and consider whether the secret is still one`,
      details: { mode: octal },
    },
  );
}

/** The error's code, never its message or cause: what was read may stand in them. */
function unreadable(path: string, reason: string): KeyturnError {
  return new KeyturnError('FILE_UNREADABLE', `${path} cannot be read (${reason})`, {
    subject: path,
    remedy: 'Check the path, and that the user who runs Keyturn may read the file',
    details: { reason },
  });
}

export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown reason';
}
