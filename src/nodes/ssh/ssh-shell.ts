// A shell on a node by the system's OpenSSH client, with the user's own configuration, agent and known hosts.
import { spawn } from 'node:child_process';
import type { KeyturnError } from '../../errors.ts';
import type { NodeShell, ShellAnswer } from '../shell/node-shell.ts';
import { sshArguments } from './ssh-arguments.ts';
import type { SshTarget } from './ssh-arguments.ts';
import { notStarted, refusedBySsh, refusedBySudo, unanswered } from './ssh-errors.ts';

/** What `ssh` exits with when it is itself that failed; no script of ours does. */
const SSH_FAILED = 255;

export interface SshShellOptions extends SshTarget {
  /** Name of the node; it stands in every error. */
  readonly node: string;
  /** For one script from connection to exit, in ms. Default 60 000. */
  readonly timeoutMs?: number;
}

export class SshShell implements NodeShell {
  readonly node: string;
  readonly #options: SshShellOptions;

  constructor(options: SshShellOptions) {
    this.node = options.node;
    this.#options = options;
  }

  async run(script: string, args: readonly string[], stdin: Buffer = Buffer.alloc(0)): Promise<ShellAnswer> {
    const answer = await this.#spawn(sshArguments(this.#options, script, args), stdin);
    const { exitCode, stderr } = answer;
    if (exitCode === SSH_FAILED) throw refusedBySsh(this.#options, stderr);
    if (this.#options.sudo === true && exitCode === 1 && /^sudo: /m.test(stderr)) {
      throw refusedBySudo(this.#options, stderr);
    }
    return answer;
  }

  #spawn(sshArgs: readonly string[], stdin: Buffer): Promise<ShellAnswer> {
    const { timeoutMs = 60_000 } = this.#options;
    return new Promise((resolve, reject) => {
      const child = spawn('ssh', sshArgs, { stdio: 'pipe' });
      const stdout: Buffer[] = [];
      const stderr: Buffer[] = [];
      let failure: KeyturnError | undefined;
      const timer = setTimeout(() => {
        failure = unanswered(this.#options, timeoutMs);
        child.kill('SIGKILL');
      }, timeoutMs);
      child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
      child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
      // A script that ends early does not read to the end; its exit code says why.
      child.stdin.on('error', () => undefined);
      child.stdin.end(stdin);
      child.once('error', (error) => {
        failure = notStarted(this.#options, error);
      });
      child.once('close', (exitCode) => {
        clearTimeout(timer);
        if (failure === undefined && exitCode === null) failure = refusedBySsh(this.#options, 'ssh was killed');
        if (failure !== undefined) reject(failure);
        else {
          resolve({
            exitCode: exitCode ?? SSH_FAILED,
            stdout: Buffer.concat(stdout),
            stderr: Buffer.concat(stderr).toString('utf8'),
          });
          for (const chunk of stdout) chunk.fill(0);
        }
      });
    });
  }
}
