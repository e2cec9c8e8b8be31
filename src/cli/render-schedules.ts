// Schedules, and what was done to them, as text for a terminal.
import type { DesiredSchedule } from '../schedules/definition.ts';
import type { ScheduleAction } from '../schedules/reconcile.ts';
import type { ScheduleState } from '../schedules/schedule-state.ts';

/** One line for each action, and one for each schedule that was as it should be. */
export function renderApplied(
  actions: readonly ScheduleAction[],
  desired: readonly DesiredSchedule[],
  dryRun: boolean,
): string {
  const touched = new Set(actions.map(({ id }) => id));
  const lines = [
    ...actions.map((action) => `${dryRun ? 'would be ' : ''}${DONE[action.type]} ${action.id}${why(action)}`),
    ...desired.filter(({ id }) => !touched.has(id)).map(({ id }) => `unchanged ${id}`),
  ];
  return lines.length === 0 ? 'No schedules: keyturn.yaml has none, and Temporal has none of ours' : lines.join('\n');
}

const DONE: Readonly<Record<ScheduleAction['type'], string>> = {
  create: 'created',
  update: 'changed',
  pause: 'paused',
  unpause: 'resumed',
  delete: 'deleted',
  retire: 'retired',
  refuse: 'refused',
};

function why(action: ScheduleAction): string {
  switch (action.type) {
    case 'create':
      return `: ${action.desired.definition.calendar}${action.desired.paused === true ? ', paused' : ''}`;
    case 'update':
      return `: ${action.changes.join(', ')}`;
    case 'retire':
      return ': it never acts again; a run is still buffered, so apply deletes it once that has started';
    case 'refuse':
      return ': not ours';
    case 'pause':
    case 'unpause':
    case 'delete':
      return '';
  }
}

export function renderSchedules(desired: readonly DesiredSchedule[], states: readonly ScheduleState[]): string {
  const missing = desired.filter(({ id }) => !states.some((state) => state.id === id));
  const blocks = [
    ...states.map(renderState),
    ...missing.map(
      ({ id, definition }) => `${id}  not in Temporal yet: keyturn schedule apply\n  ${definition.calendar}`,
    ),
  ];
  return blocks.length === 0 ? 'No schedules' : blocks.join('\n');
}

function renderState(state: ScheduleState): string {
  const { id, owner, definition, paused, note, running, buffered, nextRunsMs, runs } = state;
  if (owner !== 'ours') return `${id}  not ours`;
  const last = runs.at(-1);
  const lines = [
    `${id}  ${paused ? `PAUSED: ${note}` : 'active'}`,
    `  cluster: ${definition?.input.cluster ?? 'unknown'}`,
    `  acts: ${definition === null ? 'edited by hand: keyturn schedule apply puts it back' : definition.calendar}`,
    `  next run: ${paused ? 'none while paused' : iso(nextRunsMs[0])}`,
    `  last run: ${last === undefined ? 'none' : `${last.workflowId}, ${last.status}`}`,
  ];
  if (running + buffered > 0) lines.push(`  under way: ${running}, waiting for their turn: ${buffered}`);
  return lines.join('\n');
}

function iso(ms: number | undefined): string {
  return ms === undefined ? 'none' : new Date(ms).toISOString();
}
