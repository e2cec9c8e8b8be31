// keyturn schedule: brings the schedules in Temporal in line with keyturn.yaml, shows them, and lets operators start, pause and resume them.
import { hostname, userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { ScheduleOverlapPolicy, type Client } from '@temporalio/client';
import { Command } from 'commander';
import { loadConfig, type LoadedConfig } from '../config/load.ts';
import { KeyturnError } from '../errors.ts';
import { applySchedules, refuseForeign } from '../schedules/apply.ts';
import { desiredSchedules, scheduleId, type DesiredSchedule } from '../schedules/definition.ts';
import { readSchedule, readSchedules, type ScheduleState } from '../schedules/schedule-state.ts';
import { print } from './output.ts';
import { renderApplied, renderSchedules } from './render-schedules.ts';
import { connectClient } from '../worker/connect-temporal.ts';

interface ScheduleOptions {
  readonly config: string;
  readonly json?: boolean;
}

interface Context<Options extends ScheduleOptions = ScheduleOptions> {
  readonly options: Options;
  readonly config: LoadedConfig;
  readonly client: Client;
  readonly desired: readonly DesiredSchedule[];
}

export function scheduleCommand(): Command {
  return new Command('schedule')
    .description('schedules of rotations: what keyturn.yaml says, and what Temporal does')
    .addCommand(applyCommand())
    .addCommand(listCommand())
    .addCommand(triggerCommand())
    .addCommand(pauseCommand())
    .addCommand(resumeCommand());
}

function applyCommand(): Command {
  return new Command('apply')
    .description('create, change, pause and delete schedules in Temporal as keyturn.yaml says; runs under way go on')
    .option('--dry-run', 'only show what would be done')
    .action(async (_: unknown, command: Command) => {
      const { options, client, config, desired } = await open<ScheduleOptions & { dryRun?: boolean }>(command);
      const { dryRun = false } = options;
      const actions = await applySchedules({ client, taskQueue: config.taskQueue, desired, dryRun });
      const told = actions.map(
        ({ desired: _desired, ...action }: { desired?: unknown; type: string; id: string }) => action,
      );
      print(told, renderApplied(actions, desired, dryRun), options);
      refuseForeign(actions);
    });
}

function listCommand(): Command {
  return new Command('list')
    .description('show the schedules of keyturn.yaml and of Temporal, with their last and next run')
    .action(async (_: unknown, command: Command) => {
      const { options, client, config, desired } = await open(command);
      const ids = desired.map(({ id }) => id);
      const states = await readSchedules(client, config.taskQueue, ids);
      print(states, renderSchedules(desired, states), options);
    });
}

function triggerCommand(): Command {
  return new Command('trigger')
    .description(
      'start a rotation now as the schedule would; waits for its turn where one of this schedule is under way',
    )
    .argument('[name]', 'may be left out where there is only one')
    .action(async (name: string | undefined, _: unknown, command: Command) => {
      const context = await open(command);
      const before = await find(context, name);
      const { id } = before;
      // Not the default of a trigger, which is ALLOW_ALL.
      await context.client.schedule.getHandle(id).trigger(ScheduleOverlapPolicy.BUFFER_ONE);
      const outcome = await waitForTrigger(context, before);
      print(outcome, outcome.answer, context.options);
    });
}

function pauseCommand(): Command {
  return decisionCommand('pause', 'no run starts by itself until it is resumed; runs under way go on').action(
    async (name: string | undefined, _: unknown, command: Command) => {
      const context = await open<ScheduleOptions & { reason: string }>(command);
      const { id } = await find(context, name);
      refuseAgainstFile(context.desired, id, false);
      await context.client.schedule.getHandle(id).pause(noteOf(context.options));
      const answer = `${id} is paused until keyturn schedule resume.`;
      print({ id, paused: true, answer }, answer, context.options);
    },
  );
}

function resumeCommand(): Command {
  return decisionCommand('resume', 'let it start runs again').action(
    async (name: string | undefined, _: unknown, command: Command) => {
      const context = await open<ScheduleOptions & { reason: string }>(command);
      const { id, nextRunsMs } = await find(context, name);
      refuseAgainstFile(context.desired, id, true);
      await context.client.schedule.getHandle(id).unpause(noteOf(context.options));
      const next = nextRunsMs[0] === undefined ? 'none' : new Date(nextRunsMs[0]).toISOString();
      const answer = `${id} runs again; next run ${next}. What was due meanwhile is not made up for: keyturn schedule trigger starts it.`;
      print({ id, paused: false, answer }, answer, context.options);
    },
  );
}

function decisionCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .argument('[name]', 'may be left out where there is only one')
    .requiredOption('--reason <text>', 'stands in the note of the schedule');
}

async function open<Options extends ScheduleOptions>(command: Command): Promise<Context<Options>> {
  const options = command.optsWithGlobals<Options>();
  const config = await loadConfig(options.config);
  return { options, config, desired: desiredSchedules(config), client: await connectClient() };
}

/** @throws SCHEDULE_NOT_FOUND, SCHEDULE_FOREIGN */
async function find({ client, config, desired }: Context, name: string | undefined): Promise<ScheduleState> {
  const names = desired.map(({ id }) => id);
  const [only, ...others] = names;
  const id = name === undefined && others.length === 0 ? only : name === undefined ? undefined : scheduleId(name);
  const state = id === undefined ? undefined : await readSchedule(client, config.taskQueue, id);
  if (state === undefined) {
    const which = id === undefined ? 'No schedule was named' : `There is no schedule ${id} in Temporal`;
    throw new KeyturnError('SCHEDULE_NOT_FOUND', `${which}; keyturn.yaml has: ${names.join(', ') || 'none'}`, {
      subject: id ?? 'schedule',
      remedy: 'Name one as keyturn.yaml does; keyturn schedule apply brings it to Temporal',
    });
  }
  if (state.owner !== 'ours') refuseForeign([{ type: 'refuse', id: state.id, owner: state.owner }]);
  return state;
}

/** What the next apply would take back is better refused now. @throws DECISION_REFUSED */
function refuseAgainstFile(desired: readonly DesiredSchedule[], id: string, pausedInFile: boolean): void {
  if (desired.find((schedule) => schedule.id === id)?.paused !== pausedInFile) return;
  throw new KeyturnError('DECISION_REFUSED', `keyturn.yaml says paused: ${pausedInFile} for ${id}`, {
    subject: id,
    remedy: 'Change it there and run keyturn schedule apply; or take the field out, then operators decide',
  });
}

function noteOf({ reason }: { readonly reason: string }): string {
  return `${reason} (${userInfo().username}@${hostname()}, ${new Date().toISOString()})`;
}

const TRIGGER_TIMEOUT_MS = 10_000;
const POLL_MS = 200;

interface TriggerOutcome {
  readonly id: string;
  readonly outcome: 'started' | 'buffered' | 'requested';
  readonly workflowId: string | null;
  readonly answer: string;
}

async function waitForTrigger({ client, config }: Context, before: ScheduleState): Promise<TriggerOutcome> {
  const { id } = before;
  for (const deadline = Date.now() + TRIGGER_TIMEOUT_MS; Date.now() < deadline; await sleep(POLL_MS)) {
    const state = await readSchedule(client, config.taskQueue, id);
    const workflowId = state?.runs.at(-1)?.workflowId ?? null;
    if (state !== undefined && state.runsTaken > before.runsTaken) {
      const answer = `Started ${workflowId}. Watch it with: keyturn watch --workflow-id ${workflowId}`;
      return { id, outcome: 'started', workflowId, answer };
    }
    if (state !== undefined && state.running > 0 && state.buffered > 0) {
      const answer = `${workflowId} is under way: another run starts when it has ended.`;
      return { id, outcome: 'buffered', workflowId, answer };
    }
  }
  const answer = `${id} was triggered; Temporal has not started the run yet. See keyturn schedule list.`;
  return { id, outcome: 'requested', workflowId: null, answer };
}
