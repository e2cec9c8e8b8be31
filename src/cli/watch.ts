// keyturn status and keyturn watch: where a rotation stands, once or as a live view.
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { formatGkectlStatus } from '../rotation/gkectl-status.ts';
import type { RotationStatus } from '../rotation/status.ts';
import { connectClient } from '../worker/connect-temporal.ts';
import { askRotation } from './ask-rotation.ts';
import { EXIT, exitCodeOf } from './exit-code.ts';
import { findRotation } from './find-rotation.ts';
import { print } from './output.ts';
import { renderStatus } from './render-status.ts';
import type { RotationHandle } from './temporal.ts';

const REFRESH_MS = 1000;

interface StatusOptions {
  readonly workflowId?: string;
  readonly format: 'keyturn' | 'gkectl';
  readonly json?: boolean;
}

export function statusCommand(): Command {
  return new Command('status')
    .description('show where a rotation stands; exit code 0 ended, 1 failed, 3 a person must decide, 4 under way')
    .argument('[cluster]')
    .option('--workflow-id <id>', 'a rotation that was started elsewhere, e.g. from the Temporal UI')
    .addOption(new Option('--format <format>', 'shape of the output').choices(['keyturn', 'gkectl']).default('keyturn'))
    .action(async (cluster: string | undefined, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<StatusOptions>();
      const handle = await findRotation(await connectClient(), selection(cluster, options));
      const answer = await askRotation(handle);
      const { status } = answer;
      process.exitCode = exitCodeOf(status);
      if (options.format === 'gkectl') print(status.gkectl, gkectlText(status), options);
      else print(status, renderStatus(answer, Date.now()), options);
    });
}

export function watchCommand(): Command {
  return new Command('watch')
    .description('follow a rotation until it ends or a person must decide')
    .argument('[cluster]')
    .option('--workflow-id <id>')
    .action(async (cluster: string | undefined, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<StatusOptions>();
      const handle = await findRotation(await connectClient(), selection(cluster, options));
      process.exitCode = await watch(handle, options);
    });
}

async function watch(handle: RotationHandle, { json = false }: StatusOptions): Promise<number> {
  let shown = '';
  for (;;) {
    const answer = await askRotation(handle);
    const text = json ? JSON.stringify(answer.status) : renderStatus(answer, Date.now());
    if (text !== shown) process.stdout.write(process.stdout.isTTY && !json ? `\x1b[2J\x1b[H${text}\n` : `${text}\n`);
    shown = text;
    const code = exitCodeOf(answer.status);
    if (code !== EXIT.waiting) return code;
    await sleep(REFRESH_MS);
  }
}

function gkectlText({ gkectl }: Pick<RotationStatus, 'gkectl'>): string {
  return gkectl === null ? 'No KSASigningKeyRotation' : formatGkectlStatus(gkectl);
}

function selection(cluster: string | undefined, { workflowId }: StatusOptions) {
  return { ...(cluster === undefined ? {} : { cluster }), ...(workflowId === undefined ? {} : { workflowId }) };
}
