// Files of a node that is reached by a shell, whichever way the shell is reached: small scripts, checked at both ends.
import { randomUUID } from 'node:crypto';
import { KeyturnError } from '../../errors.ts';
import { decodeContent, sha256Of } from '../file-content.ts';
import { fileChanged, toNodeError } from '../node-errors.ts';
import type { NodeFile, NodeFiles, WriteOptions } from '../port.ts';
import type { NodeShell, ShellAnswer } from './node-shell.ts';
import { parseReadAnswer } from './read-answer.ts';
import { EXIT, LIST, MARK, PRELUDE, READ, REMOVE } from './scripts.ts';
import { errnoSaid, explainExit, isEndedBySignal, lastLine } from './shell-errors.ts';
import { PLACE, WRITE } from './write-script.ts';

/** How often a file that changes while it is read is read again. */
const READ_ATTEMPTS = 5;

export class ShellNodeFiles implements NodeFiles {
  readonly node: string;
  readonly #shell: NodeShell;

  constructor(shell: NodeShell) {
    this.node = shell.node;
    this.#shell = shell;
  }

  async read(path: string): Promise<NodeFile | undefined> {
    for (let attempt = 1; attempt <= READ_ATTEMPTS; attempt += 1) {
      const answer = await runScript(this.#shell, READ, [path]);
      if (isAbsent(answer)) return undefined;
      if (answer.exitCode !== 0) throw explainExit(answer, this.#shell, path);
      const file = parseReadAnswer(answer.stdout);
      if (file?.sha256 !== sha256Of(file?.bytes ?? '')) continue;
      const { bytes, ...facts } = file;
      try {
        return { ...facts, content: this.#decode(bytes, path) };
      } finally {
        answer.stdout.fill(0);
      }
    }
    throw fileChanged(`${this.node}:${path}`);
  }

  /** As with local files a symbolic link stays, and what it points to is replaced; writers from wherever take turns by a lock on the node. */
  async write(path: string, content: string, options: WriteOptions): Promise<void> {
    const { mode, uid, gid, stagingDirectory = '', expectedSha256 } = options;
    const bytes = Buffer.from(content);
    const expected = expectedSha256 === undefined ? 'any' : (expectedSha256 ?? 'absent');
    const stdin = Buffer.concat([Buffer.from(`${sha256Of(bytes)} ${expected} ${bytes.length}\n`), bytes]);
    const args = [path, stagingDirectory, mode.toString(8), String(uid), String(gid), randomUUID()];
    const answer = await runScript(this.#shell, `${PLACE}${WRITE}`, args, stdin).finally(() => {
      for (const copy of [bytes, stdin]) copy.fill(0);
    });
    if (answer.exitCode !== 0) throw explainExit(answer, this.#shell, path);
  }

  async list(directory: string): Promise<readonly string[]> {
    const answer = await runScript(this.#shell, LIST, [directory]);
    if (isAbsent(answer) || answer.exitCode === EXIT.notADirectory) return [];
    if (answer.exitCode !== 0) throw explainExit(answer, this.#shell, directory);
    return answer.stdout.toString('utf8').split('\0').slice(0, -1).toSorted();
  }

  async remove(path: string): Promise<void> {
    const answer = await runScript(this.#shell, REMOVE, [path]);
    if (answer.exitCode !== 0 && !isAbsent(answer)) throw explainExit(answer, this.#shell, path);
  }

  #decode(bytes: Buffer, path: string): string {
    try {
      return decodeContent(bytes);
    } catch (error) {
      throw toNodeError(error, `${this.node}:${path}`);
    }
  }
}

/**
 * Output begins after the mark.
 * @throws NODE_UNREACHABLE where the shell ended before the script began
 */
export async function runScript(
  shell: NodeShell,
  script: string,
  args: readonly string[],
  stdin?: Buffer,
): Promise<ShellAnswer> {
  const answer = await shell.run(`${PRELUDE}${script}`, args, stdin);
  const begin = answer.stdout.indexOf(MARK);
  if (begin !== -1) return { ...answer, stdout: answer.stdout.subarray(begin + MARK.length) };
  if (isEndedBySignal(answer)) throw explainExit(answer, shell, '');
  const why = `exit code ${answer.exitCode}: ${lastLine(answer.stderr)}`;
  throw new KeyturnError('NODE_UNREACHABLE', `No POSIX shell could be used on ${shell.node} (${why})`, {
    subject: shell.node,
    remedy: 'Check that `sh` is there, and that the login shell of the user on the node understands `sh -c`',
  });
}

function isAbsent({ exitCode, stderr }: ShellAnswer): boolean {
  if (exitCode !== 1 && exitCode !== 2) return false;
  const errno = errnoSaid(stderr);
  return errno === 'ENOENT' || errno === 'ENOTDIR';
}
