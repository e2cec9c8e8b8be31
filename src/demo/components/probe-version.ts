// Asks a program for its version, which also shows that it runs on this machine.
import { observeCommand } from './run-command.ts';

/** Time that a program gets for the answer. */
const timeoutMs = 20_000;

/**
 * The first `x.y.z` that the program prints.
 * A program without such a question (`versionArguments` undefined) is asked how it is used, and must exit with 0; then `undefined`
 * comes back.
 * @throws Error where it does not run
 */
export async function probeVersion(
  file: string,
  versionArguments: readonly string[] | undefined,
  usageArguments: readonly string[] = [],
): Promise<string | undefined> {
  const output = await observeCommand(file, versionArguments ?? usageArguments, { timeoutMs });
  if (versionArguments === undefined) {
    if (output.code !== 0) throw new Error(`exit code ${output.code}`);
    return undefined;
  }
  const version = /\d+\.\d+\.\d+/.exec(output.stdout + output.stderr)?.[0];
  if (output.code !== 0 || version === undefined) {
    throw new Error(`${versionArguments.join(' ')} shows no version (exit code ${output.code})`);
  }
  return version;
}
