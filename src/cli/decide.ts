// The operator's decisions as commands: each sends the Update of the same name, with a reason.
import { hostname, userInfo } from 'node:os';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import type { UpdateDefinition } from '@temporalio/common';
import { Command } from 'commander';
import { KeyturnError } from '../errors.ts';
import { parseDuration } from '../rotation/duration.ts';
import * as messages from '../workflows/messages.ts';
import { findRotation } from './find-rotation.ts';
import { print } from './output.ts';
import { connectClient } from '../worker/connect-temporal.ts';

const COMMANDS: readonly (readonly [string, string, UpdateDefinition<string, [messages.DecisionInput]>])[] = [
  ['pause', 'stop before the next step', messages.pauseUpdate],
  ['resume', 'go on after a pause', messages.resumeUpdate],
  ['approve', 'let a rotation pass the gate at which it asks', messages.approveUpdate],
  ['retry', 'try the held step again', messages.retryUpdate],
  ['roll-back', 'take every step back, the last first', messages.rollBackUpdate],
  ['abort', 'give up safely: roll back where possible, else finish forward', messages.abortUpdate],
];

interface DecisionOptions {
  readonly reason: string;
  readonly workflowId?: string;
  readonly json?: boolean;
}

export function decisionCommands(): readonly Command[] {
  const simple = COMMANDS.map(([name, description, update]) =>
    decisionCommand(name, description).action(async (cluster: string | undefined, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<DecisionOptions>();
      await decide(update, decisionOf(options), cluster, options);
    }),
  );
  return [...simple, changeDrainCommand()];
}

function changeDrainCommand(): Command {
  return decisionCommand('change-drain', 'change how long Draining waits')
    .requiredOption('--duration <duration>', 'e.g. 48h')
    .option('--allow-shorter <why>', 'accept less than what is computed; recorded')
    .action(async (cluster: string | undefined, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<DecisionOptions & { duration: string; allowShorter?: string }>();
      const durationMs = parseDuration(options.duration);
      if (durationMs === undefined) {
        throw new KeyturnError('CONFIG_INVALID', `"${options.duration}" is not a duration`, {
          subject: '--duration',
          remedy: 'Write it as 24h, 90d or 1h30m',
        });
      }
      const { allowShorter } = options;
      const drain = { policy: 'fixed' as const, durationMs, ...(allowShorter === undefined ? {} : { allowShorter }) };
      await decide(messages.changeDrainUpdate, { ...decisionOf(options), drain }, cluster, options);
    });
}

function decisionCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .argument('[cluster]')
    .requiredOption('--reason <text>', 'stands in the audit record')
    .option('--workflow-id <id>');
}

function decisionOf({ reason }: DecisionOptions): messages.DecisionInput {
  return { reason, by: `${userInfo().username}@${hostname()}` };
}

/** @throws DECISION_REFUSED with the sentence that says what is possible now */
async function decide<Input extends messages.DecisionInput>(
  update: UpdateDefinition<string, [Input]>,
  input: Input,
  cluster: string | undefined,
  options: DecisionOptions,
): Promise<void> {
  const { workflowId } = options;
  const handle = await findRotation(await connectClient(), {
    ...(cluster === undefined ? {} : { cluster }),
    ...(workflowId === undefined ? {} : { workflowId }),
  });
  try {
    const answer = await handle.executeUpdate(update, { args: [input] });
    print({ answer }, answer, options);
  } catch (error) {
    if (!(error instanceof WorkflowUpdateFailedError)) throw error;
    throw new KeyturnError('DECISION_REFUSED', error.cause?.message ?? error.message, {
      subject: handle.workflowId,
      remedy: 'See where it stands with: keyturn status',
      cause: error,
    });
  }
}
