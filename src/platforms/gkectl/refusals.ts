// Errors of gkectl, with its own words.
import type { ExecFileException } from 'node:child_process';
import { stripVTControlCharacters } from 'node:util';
import { KeyturnError } from '../../errors.ts';

/** Lines of gkectl that stand in an error. */
const KEPT_LINES = 10;

export function commandFailed(
  verb: 'rotate' | 'status',
  { command, userClusterConfig }: { readonly command: string; readonly userClusterConfig: string },
  error: ExecFileException,
  output: string,
): KeyturnError {
  const isMissing = error.code === 'ENOENT' || error.code === 'EACCES';
  const how = isMissing ? 'cannot be run' : error.killed === true ? 'took too long' : `ended with ${error.code}`;
  const words = lastWords(output);
  return new KeyturnError('PLATFORM_FAILED', `${command} (ksa-signing-key ${verb}) ${how}${words}`, {
    subject: userClusterConfig,
    remedy: isMissing
      ? 'Give its path in platform.command, on every host where a worker runs'
      : 'Do what gkectl says, then try again',
    // A rotation that was refused because something else runs may be accepted later, but that is for a person to see.
    retryable: verb === 'status' && !isMissing,
    details: { exitCode: error.code ?? null },
    cause: error,
  });
}

/** The end of what it printed, for people. */
export function lastWords(output: string): string {
  const lines = stripVTControlCharacters(output).trim().split(/\r?\n/).slice(-KEPT_LINES);
  const text = lines.join('\n').trim();
  return text === '' ? ' and said nothing' : `, saying:\n${text}\n`;
}
