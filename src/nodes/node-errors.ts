// What an operating system says about a file of a node, as a KeyturnError.
import { KeyturnError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';

interface Explanation {
  readonly code: ErrorCode;
  readonly problem: string;
  readonly remedy: string;
  readonly retryable?: true;
}

const diskFull: Explanation = {
  code: 'NODE_DISK_FULL',
  problem: 'cannot be written: the disk is full',
  remedy: 'Free some space there and try again; nothing was changed',
};

const denied: Explanation = {
  code: 'NODE_PERMISSION_DENIED',
  problem: 'is not open to this user',
  remedy: 'Let Keyturn work as root on that node, or give its user access; a read-only mount has to become writable',
};

const EXPLANATIONS: Readonly<Record<string, Explanation>> = {
  ENOSPC: diskFull,
  EDQUOT: diskFull,
  EACCES: denied,
  EPERM: denied,
  EROFS: denied,
  EISDIR: { code: 'FILE_UNREADABLE', problem: 'is a directory', remedy: 'Name a file' },
  ERR_ENCODING_INVALID_ENCODED_DATA: {
    code: 'FILE_UNREADABLE',
    problem: 'is not UTF-8 text',
    remedy: 'Keyturn could not write it back byte for byte: convert it to UTF-8',
  },
  ENOENT: {
    code: 'FILE_CHANGED',
    problem: 'or its temporary file was moved away while Keyturn wrote it',
    remedy: 'Try again; if it goes on, find out which program works in this directory',
    retryable: true,
  },
};

/**
 * @param subject `node:path`
 * @param said what is told where the code is not known; default: the code
 */
export function nodeErrorOf(errno: string, subject: string, cause: unknown, said = errno): KeyturnError {
  const explanation = EXPLANATIONS[errno] ?? {
    code: 'FILE_UNREADABLE',
    problem: `cannot be used (${said})`,
    remedy: 'Look at that path on the node',
  };
  return new KeyturnError(explanation.code, `${subject} ${explanation.problem}`, {
    subject,
    remedy: explanation.remedy,
    retryable: explanation.retryable ?? false,
    cause,
  });
}

/** @param subject `node:path` */
export function toNodeError(error: unknown, subject: string): KeyturnError {
  const errno = errnoOf(error);
  return nodeErrorOf(errno, subject, error, errno || String(error));
}

export function fileChanged(subject: string): KeyturnError {
  return new KeyturnError('FILE_CHANGED', `${subject} was changed by another while Keyturn was about to write it`, {
    subject,
    remedy: 'Try again; if it goes on, find out which program writes this file',
    retryable: true,
  });
}

/** `ENOENT` and the like; empty where the error has no code. */
export function errnoOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}
