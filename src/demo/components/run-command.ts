// Runs a command to its end and gives its output, or an error that holds the last lines of it.
import { spawn } from 'node:child_process';
import { isAbsolute } from 'node:path';

export interface CommandOptions {
  readonly directory?: string;
  /** Added to the environment of this process. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Default: none. */
  readonly timeoutMs?: number;
  /** Standard input. Default: none. */
  readonly input?: string;
  /** Called every 10 s with the time since the start. */
  readonly onWait?: (elapsedMs: number) => void;
}

const waitTickMs = 10_000;

export interface CommandOutput {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command whatever its exit code. @throws Error where it cannot be started or runs out of time */
export async function observeCommand(
  command: string,
  commandArguments: readonly string[],
  options: CommandOptions = {},
): Promise<CommandOutput> {
  const startedAt = Date.now();
  const child = spawn(command, commandArguments, {
    cwd: options.directory,
    env: { ...process.env, ...options.environment },
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs, killSignal: 'SIGKILL' as const }),
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  // A command that ends without reading its input is judged by its exit code.
  child.stdin?.on('error', () => undefined).end(options.input);
  const ticker = setInterval(() => options.onWait?.(Date.now() - startedAt), waitTickMs);
  try {
    return await new Promise<CommandOutput>((resolve, reject) => {
      child.once('error', (error: NodeJS.ErrnoException) => {
        const isMissing = error.code === 'ENOENT' && !isAbsolute(command);
        reject(isMissing ? new Error(`${command} is not installed`, { cause: error }) : error);
      });
      child.once('close', (code, signal) => {
        if (code === null) reject(new Error(`${command} was ended by ${signal} after ${Date.now() - startedAt} ms`));
        else resolve({ code, stdout, stderr });
      });
    });
  } finally {
    clearInterval(ticker);
  }
}

/** Standard output of a command that must succeed. @throws Error with the last line of standard error */
export async function runCommand(
  command: string,
  commandArguments: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const output = await observeCommand(command, commandArguments, options);
  if (output.code === 0) return output.stdout;
  const lastLine = output.stderr.trim().split('\n').at(-1) ?? '';
  throw new Error(`${[command, ...commandArguments.slice(0, 2)].join(' ')} exited with ${output.code}: ${lastLine}`);
}
