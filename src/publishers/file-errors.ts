// Turns what the file system answers into Keyturn's errors, once, at the boundary.
import { KeyturnError } from '../errors.ts';
import { toKeyturnError } from './store-verdict.ts';
import type { StoreVerdict } from './store-verdict.ts';

const DIRECTORY_MISSING: StoreVerdict = {
  code: 'PUBLISHER_CONTAINER_MISSING',
  problem: 'lies in a directory that does not exist',
  remedy: 'Make the directory, or mount it where the worker runs, or correct `directory` of the publisher',
  retryable: false,
};

const DENIED: StoreVerdict = {
  code: 'PUBLISHER_ACCESS_DENIED',
  problem: 'may not be accessed by the user who runs the worker',
  remedy:
    'Let that user read the file and write into its directory; a file system that is mounted read-only will not do',
  retryable: false,
};

const UNREACHABLE: StoreVerdict = {
  code: 'PUBLISHER_UNREACHABLE',
  problem: 'cannot be read or written',
  remedy: 'Check the disk and the mount; it is tried again',
  retryable: true,
};

const BY_SYSTEM_CODE: Readonly<Record<string, StoreVerdict>> = {
  ENOENT: DIRECTORY_MISSING,
  ENOTDIR: DIRECTORY_MISSING,
  EACCES: DENIED,
  EPERM: DENIED,
  EROFS: DENIED,
};

/** @param subject path of the document */
export function toFilePublisherError(error: unknown, subject: string): KeyturnError {
  if (error instanceof KeyturnError) return error;
  const reason = systemCodeOf(error);
  const verdict = Object.hasOwn(BY_SYSTEM_CODE, reason) ? BY_SYSTEM_CODE[reason] : undefined;
  return toKeyturnError(verdict ?? UNREACHABLE, { status: undefined, reason }, subject);
}

/** E.g. `ENOENT`. */
export function systemCodeOf(error: unknown): string {
  const { code } = (error instanceof Error ? error : {}) as NodeJS.ErrnoException;
  return typeof code === 'string' ? code : 'unknown';
}
