// Does to Temporal's schedules what reconcile says. Done twice it changes nothing the second time.
import { ScheduleAlreadyRunning, ScheduleNotFoundError, type Client } from '@temporalio/client';
import { KeyturnError } from '../errors.ts';
import type { DesiredSchedule } from './definition.ts';
import { FILE_PAUSE_NOTE, reconcile, type ScheduleAction } from './reconcile.ts';
import { ownerMemo, readSchedules } from './schedule-state.ts';
import { toTemporal } from './temporal-form.ts';

export interface ApplyOptions {
  readonly client: Client;
  /** Schedules of other task queues belong to other workers with other files. */
  readonly taskQueue: string;
  readonly desired: readonly DesiredSchedule[];
  /** Default false. */
  readonly dryRun?: boolean;
}

/** @returns what was done, or with `dryRun` would be; `refuse` is among it where an ID is taken */
export async function applySchedules(options: ApplyOptions): Promise<readonly ScheduleAction[]> {
  const { client, taskQueue, desired, dryRun = false } = options;
  const ids = desired.map(({ id }) => id);
  const actions = reconcile(desired, await readSchedules(client, taskQueue, ids));
  if (dryRun) return actions;
  for (const action of actions) await perform(action, options);
  return actions;
}

async function perform(action: ScheduleAction, options: ApplyOptions): Promise<void> {
  const handle = options.client.schedule.getHandle(action.id);
  switch (action.type) {
    case 'create':
      return create(action.desired, options);
    case 'update':
      return update(action, options.client);
    case 'pause':
      return handle.pause(FILE_PAUSE_NOTE);
    case 'unpause':
      return handle.unpause('keyturn.yaml');
    case 'retire':
      return handle.update(({ action: taken, policies, state }) => ({
        action: { ...taken, args: taken.args ?? [] },
        policies,
        state,
        spec: { calendars: [] },
      }));
    case 'delete':
      return handle.delete().catch((error: unknown) => {
        if (!(error instanceof ScheduleNotFoundError)) throw error;
      });
    case 'refuse':
  }
}

async function create({ id, definition, paused = false }: DesiredSchedule, options: ApplyOptions): Promise<void> {
  try {
    await options.client.schedule.create({
      scheduleId: id,
      ...toTemporal(definition),
      memo: ownerMemo(options.taskQueue),
      state: { paused, ...(paused ? { note: FILE_PAUSE_NOTE } : {}) },
    });
  } catch (error) {
    // Another worker was faster, with the same file.
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
}

/** In place, and as paused as it is: runs under way and buffered stay. */
async function update({ id, desired }: Extract<ScheduleAction, { type: 'update' }>, client: Client): Promise<void> {
  const form = toTemporal(desired.definition);
  await client.schedule.getHandle(id).update(({ state: { paused, note } }) => ({
    ...form,
    state: { paused, ...(note === undefined ? {} : { note }) },
  }));
}

/** @throws SCHEDULE_FOREIGN where an ID is taken, naming all that are */
export function refuseForeign(actions: readonly ScheduleAction[]): void {
  const refused = actions.filter((action) => action.type === 'refuse');
  if (refused.length === 0) return;
  const list = refused.map(({ id, owner }) =>
    owner === 'not-keyturn' ? `${id} was not made by Keyturn` : `${id} belongs to workers of another task queue`,
  );
  throw new KeyturnError('SCHEDULE_FOREIGN', `The ID of a schedule is taken: ${list.join('; ')}`, {
    subject: refused.map(({ id }) => id).join(', '),
    remedy:
      'It was left as it is. Give yours another name in keyturn.yaml, or delete that one with `temporal schedule delete`',
  });
}
