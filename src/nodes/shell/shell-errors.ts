// What a script on a node says when it fails, as a KeyturnError.
import { KeyturnError } from '../../errors.ts';
import { fileChanged, nodeErrorOf } from '../node-errors.ts';
import type { NodeShell, ShellAnswer } from './node-shell.ts';
import { EXIT } from './scripts.ts';

/** Words of the C libraries (glibc and musl, locale C) for errno: all that commands let out of it. */
const ERRNO_WORDS = [
  ['ENOENT', /No such file|nonexistent directory|Directory nonexistent/],
  ['ENOTDIR', /Not a directory/],
  ['EISDIR', /Is a directory/],
  ['ENOSPC', /No space left on device/],
  ['EDQUOT', /Disk quota exceeded|Quota exceeded/],
  ['EROFS', /Read-only file system/],
  ['EACCES', /Permission denied/],
  ['EPERM', /Operation not permitted/],
] as const;

/** Empty where the last words of a command are none that is known. */
export function errnoSaid(stderr: string): string {
  const last = stderr.trimEnd().split('\n').at(-1) ?? '';
  return ERRNO_WORDS.find(([, words]) => words.test(last))?.[0] ?? '';
}

/** Above it a shell reports the signal that ended a command: the node goes down, or the container of its agent. */
const ENDED_BY_SIGNAL = 128;

export function isEndedBySignal({ exitCode }: ShellAnswer): boolean {
  return exitCode > ENDED_BY_SIGNAL;
}

function endedBySignal({ node }: NodeShell, { exitCode }: ShellAnswer): KeyturnError {
  const problem = `A command on ${node} was ended by signal ${exitCode - ENDED_BY_SIGNAL}: it may have done its work`;
  return new KeyturnError('NODE_UNREACHABLE', problem, {
    subject: node,
    remedy: 'Wait while the node restarts; it is tried again',
    retryable: true,
  });
}

/** Why a script that was run for this path has failed. */
export function explainExit(answer: ShellAnswer, shell: NodeShell, path: string): KeyturnError {
  if (isEndedBySignal(answer)) return endedBySignal(shell, answer);
  const { exitCode, stderr } = answer;
  const { node } = shell;
  const subject = `${node}:${path}`;
  const errno = errnoSaid(stderr);
  switch (exitCode) {
    case EXIT.changed:
      return fileChanged(subject);
    case EXIT.cutShort:
      return errno === 'ENOSPC' ? nodeErrorOf(errno, subject, undefined) : cutShort(subject);
    case EXIT.notAFile:
      return nodeErrorOf('EISDIR', subject, undefined);
    case EXIT.commandMissing:
      return commandMissing(node, stderr.trim());
    case EXIT.locked:
      return errno === '' ? locked(subject) : nodeErrorOf(errno, subject, undefined);
    default:
      return nodeErrorOf(errno, subject, undefined, `exit code ${exitCode}: ${lastLine(stderr)}`);
  }
}

/** For a message: the end of what a command said, on one line. */
export function lastLine(stderr: string): string {
  return (stderr.trim().split('\n').at(-1) ?? '').trim().slice(-300) || 'it said nothing';
}

function cutShort(subject: string): KeyturnError {
  return new KeyturnError(
    'NODE_UNREACHABLE',
    `The connection broke while ${subject} was written; nothing was changed`,
    {
      subject,
      remedy: 'Check the way to the node; the write is tried again',
      retryable: true,
    },
  );
}

function locked(subject: string): KeyturnError {
  return new KeyturnError('FILE_CHANGED', `${subject} is being written by another at this moment`, {
    subject,
    remedy: 'Try again; if it goes on, find out which other Keyturn works on this node',
    retryable: true,
  });
}

export function commandMissing(node: string, commands: string): KeyturnError {
  return new KeyturnError('NODE_COMMAND_MISSING', `${node} lacks commands with which files are handled: ${commands}`, {
    subject: node,
    remedy: 'Install them there; for agent pods, name an image that has them (docs/node-access.md lists them)',
  });
}
