// From the schedules that keyturn.yaml wants and those that exist to what has to be done. Pure: the table of what apply does.
import { isDeepStrictEqual } from 'node:util';
import type { DesiredSchedule, ScheduleDefinition } from './definition.ts';

/** Who a schedule with an ID like ours belongs to, by the memo that it was made with. */
export type Owner = 'ours' | 'another-task-queue' | 'not-keyturn';

/** A schedule that is in Temporal. */
export interface ExistingSchedule {
  readonly id: string;
  readonly owner: Owner;
  /** Null where it has something that Keyturn never writes, such as an interval: somebody changed it by hand. */
  readonly definition: ScheduleDefinition | null;
  readonly paused: boolean;
  /** Why it is paused, as whoever did it wrote. */
  readonly note: string;
  /** Runs that wait for the one under way to end. */
  readonly buffered: number;
}

export type ScheduleAction =
  | { readonly type: 'create'; readonly id: string; readonly desired: DesiredSchedule }
  /** In place: runs under way and buffered stay. `changes`: names of the fields that differ. */
  | {
      readonly type: 'update';
      readonly id: string;
      readonly desired: DesiredSchedule;
      readonly changes: readonly string[];
    }
  | { readonly type: 'pause'; readonly id: string }
  | { readonly type: 'unpause'; readonly id: string }
  | { readonly type: 'delete'; readonly id: string }
  /** Takes its times away and leaves it until its buffered run has started: deleting it would lose that run. */
  | { readonly type: 'retire'; readonly id: string }
  /** The ID is taken by a schedule that is not ours; it is left as it is. */
  | { readonly type: 'refuse'; readonly id: string; readonly owner: Exclude<Owner, 'ours'> };

/** Tells a pause that the file asked for from one of an operator. */
export const FILE_PAUSE_NOTE = 'paused: true in keyturn.yaml';

/**
 * Each schedule comes to its own actions, in the order of the file; those that the file no longer has come last.
 * 1. What is not ours is never touched, whatever its ID.
 * 2. A change is an update in place, never delete and create: a run under way or buffered goes on.
 * 3. The file decides about being paused where it says so. Else a pause stays, unless the file itself had asked for it.
 */
export function reconcile(
  desired: readonly DesiredSchedule[],
  existing: readonly ExistingSchedule[],
): readonly ScheduleAction[] {
  const wanted = new Set(desired.map(({ id }) => id));
  return [
    ...desired.flatMap((schedule) =>
      forDesired(
        schedule,
        existing.find(({ id }) => id === schedule.id),
      ),
    ),
    ...existing.filter(({ id, owner }) => owner === 'ours' && !wanted.has(id)).flatMap(forUnwanted),
  ];
}

function forDesired(desired: DesiredSchedule, existing: ExistingSchedule | undefined): readonly ScheduleAction[] {
  const { id } = desired;
  if (existing === undefined) return [{ type: 'create', id, desired }];
  if (existing.owner !== 'ours') return [{ type: 'refuse', id, owner: existing.owner }];
  const changes = changedFields(desired.definition, existing.definition);
  return [
    ...(changes.length === 0 ? [] : [{ type: 'update' as const, id, desired, changes }]),
    ...forPause(desired, existing),
  ];
}

function forPause({ id, paused }: DesiredSchedule, existing: ExistingSchedule): readonly ScheduleAction[] {
  if (paused === true && !existing.paused) return [{ type: 'pause', id }];
  const pausedByFile = existing.note === FILE_PAUSE_NOTE;
  const mayRun = paused === false || (paused === undefined && pausedByFile);
  return mayRun && existing.paused ? [{ type: 'unpause', id }] : [];
}

function forUnwanted({ id, buffered, definition }: ExistingSchedule): readonly ScheduleAction[] {
  if (buffered === 0) return [{ type: 'delete', id }];
  const isRetired = definition !== null && definition.times === null;
  return isRetired ? [] : [{ type: 'retire', id }];
}

/** Names of the fields in which the two differ. The calendar's words are not compared: its times are. */
export function changedFields(desired: ScheduleDefinition, existing: ScheduleDefinition | null): readonly string[] {
  if (existing === null) return ['edited by hand'];
  const fields = Object.keys(desired) as (keyof ScheduleDefinition)[];
  return fields
    .filter((field) => field !== 'calendar' && !isDeepStrictEqual(desired[field], existing[field]))
    .map((field) => (field === 'times' ? 'calendar' : field));
}
