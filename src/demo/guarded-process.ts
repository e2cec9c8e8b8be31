// Starts a long-running program that does not outlive this process.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, existsSync, openSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface GuardedProcessOptions {
  /** Standard output and error are appended here. */
  readonly logFile: string;
  /** Added to the environment of this process. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface GuardedProcess {
  readonly pid: number;
  /** Settles when the process is gone. Never rejects. */
  readonly exited: Promise<ProcessExit>;
  /** Sends a signal; nothing happens if the process is gone. */
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL after the grace; settles when the process is gone. */
  stop(graceMs: number): Promise<void>;
}

const running = new Set<ChildProcess>();

let isExitHooked = false;

/** Covers an ordinary exit and an uncaught exception. What covers SIGKILL is setpriv. */
function killAllAtExit(): void {
  if (isExitHooked) return;
  isExitHooked = true;
  process.on('exit', () => {
    for (const child of running) child.kill('SIGKILL');
  });
}

/**
 * Starts the program in a session of its own, so that Ctrl-C in the terminal reaches only us and the end stays orderly.
 * The kernel kills it when we die in whatever way, where setpriv (util-linux) is there; else only our ordinary exits do.
 * @throws Error where an absolute path is no program
 */
export async function startGuardedProcess(
  program: string,
  programArguments: readonly string[],
  options: GuardedProcessOptions,
): Promise<GuardedProcess> {
  // setpriv would start all the same, and end with a code of its own.
  if (isAbsolute(program)) await access(program, constants.X_OK);
  killAllAtExit();
  const setpriv = setprivPath();
  const command = [
    ...(setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'KILL', '--']),
    program,
    ...programArguments,
  ];
  const log = openSync(options.logFile, 'a');
  const child = spawn(command[0] ?? program, command.slice(1), {
    detached: true,
    env: { ...process.env, ...options.environment },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  running.add(child);
  const exited = new Promise<ProcessExit>((resolve) => {
    child.once('exit', (code, signal) => {
      running.delete(child);
      resolve({ code, signal });
    });
  });
  try {
    await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  } catch (error) {
    running.delete(child);
    throw error;
  }
  const signal = (name: NodeJS.Signals): void => void child.kill(name);
  return {
    pid: child.pid ?? 0,
    exited,
    signal,
    stop: async (graceMs) => {
      if (!running.has(child)) return;
      signal(graceMs > 0 ? 'SIGTERM' : 'SIGKILL');
      const timer = new AbortController();
      await Promise.race([exited, sleep(graceMs, undefined, { signal: timer.signal }).catch(() => undefined)]);
      timer.abort();
      signal('SIGKILL');
      await exited;
    },
  };
}

function setprivPath(): string | undefined {
  const directories = (process.env['PATH'] ?? '').split(delimiter);
  return directories.map((directory) => join(directory, 'setpriv')).find((file) => existsSync(file));
}
