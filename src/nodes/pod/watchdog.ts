// A node's watchdog in its agent pod: it works on the node's own disk, also while nobody can reach the node.
import { randomUUID } from 'node:crypto';
import { posix } from 'node:path';
import { KeyturnError } from '../../errors.ts';
import type { NodeFiles, NodeWatchdog, PutBack } from '../port.ts';
import type { NodeShell } from '../shell/node-shell.ts';
import { explainExit, lastLine } from '../shell/shell-errors.ts';
import { runScript } from '../shell/shell-node-files.ts';
import { ARM, DISARM } from './agent-script.ts';

/** Number of the first file: names of three digits sort as numbers do. */
const FIRST_NUMBER = 100;

export class AgentWatchdog implements NodeWatchdog {
  readonly #shell: NodeShell;
  readonly #files: Pick<NodeFiles, 'write'>;
  readonly #folder: string;

  /** @param folder on the node's disk; as the agent of the node was told */
  constructor(shell: NodeShell, files: Pick<NodeFiles, 'write'>, folder: string) {
    this.#shell = shell;
    this.#files = files;
    this.#folder = folder;
  }

  async arm(putBacks: readonly PutBack[], afterMs: number): Promise<void> {
    await this.disarm();
    const id = randomUUID();
    for (const [index, { content, mode, uid, gid }] of putBacks.entries()) {
      const path = posix.join(this.#folder, `arming-${id}`, String(FIRST_NUMBER + index), 'content');
      await this.#files.write(path, content, { mode, uid, gid });
    }
    const paths = putBacks.map(({ path }) => path);
    const sums = putBacks.map(({ onlyIfSha256 }) => `${onlyIfSha256}\n`).join('');
    const args = [this.#folder, id, String(Math.floor(afterMs / 1000)), ...paths];
    const answer = await runScript(this.#shell, ARM, args, Buffer.from(sums));
    if (answer.exitCode === 0) return;
    await this.disarm();
    const { node } = this.#shell;
    throw new KeyturnError('NODE_UNREACHABLE', `The watchdog on ${node} cannot be armed: ${lastLine(answer.stderr)}`, {
      subject: node,
      remedy: "See the log of the node's agent pod; nothing was changed",
      retryable: true,
    });
  }

  async disarm(): Promise<boolean> {
    const answer = await runScript(this.#shell, DISARM, [this.#folder]);
    if (answer.exitCode !== 0) throw explainExit(answer, this.#shell, this.#folder);
    return answer.stdout.toString('utf8').includes('armed');
  }
}
