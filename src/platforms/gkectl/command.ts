// Runs gkectl, without a shell and without anything secret among its arguments.
import { execFile } from 'node:child_process';
import { commandFailed } from './refusals.ts';

export interface GkectlOptions {
  /** Path of gkectl, or its name on the PATH. */
  readonly command: string;
  /** Path of the user cluster's configuration file. */
  readonly userClusterConfig: string;
  /** Path of the admin cluster's kubeconfig. */
  readonly adminKubeconfig: string;
}

/** Its answers are some lines; logs around them may be long. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/**
 * What the command printed, on either output.
 * @param timeoutMs after which it is ended
 * @throws PLATFORM_FAILED with gkectl's own words, where it cannot be run, exits with another code than 0, or takes too long
 */
export function runGkectl(
  options: GkectlOptions,
  verb: 'rotate' | 'status',
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<string> {
  const files = ['--config', options.userClusterConfig, '--kubeconfig', options.adminKubeconfig];
  const prompts = verb === 'rotate' ? ['--skip-prompt'] : [];
  const asked = ['update', 'credentials', 'ksa-signing-key', verb, ...files, ...prompts];
  return new Promise((resolve, reject) => {
    const child = execFile(
      options.command,
      asked,
      { timeout: timeoutMs, signal, maxBuffer: MAX_OUTPUT_BYTES, encoding: 'utf8' },
      (error, stdout, stderr) => {
        const output = [stdout, stderr].filter((text) => text !== '').join('\n');
        if (error === null) resolve(output);
        else if (signal.aborted) reject(new Error('stopped', { cause: signal.reason }));
        else reject(commandFailed(verb, options, error, output));
      },
    );
    // A question that nobody answers ends instead of waiting.
    child.stdin?.end();
  });
}
