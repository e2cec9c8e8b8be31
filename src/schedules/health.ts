// What is to be said about a schedule: whether it acts as keyturn.yaml says, and whether it really did when it was due. Pure.
import { formatDuration, MINUTE_MS } from '../rotation/duration.ts';
import { latestTime } from './calendar.ts';
import type { DesiredSchedule } from './definition.ts';
import { changedFields, FILE_PAUSE_NOTE } from './reconcile.ts';
import type { ScheduleState } from './schedule-state.ts';

export interface ScheduleComplaint {
  /** `fail`: no rotation will start, or one did not; `warn`: a person may have wanted it so. */
  readonly level: 'warn' | 'fail';
  readonly sentence: string;
}

export interface ScheduleFacts {
  /** Undefined where keyturn.yaml does not have it. */
  readonly desired: DesiredSchedule | undefined;
  /** Undefined where Temporal does not have it. */
  readonly state: ScheduleState | undefined;
  /** When a rotation of the cluster last came to its end, however it was started; ms since the epoch. */
  readonly lastRotationMs: number | null;
  readonly nowMs: number;
}

/** A start may be late by this much, beside its jitter, before it counts as missing. */
const GRACE_MS = 10 * MINUTE_MS;

/** Empty where all is well. */
export function complaints(facts: ScheduleFacts): readonly ScheduleComplaint[] {
  const { desired, state } = facts;
  if (state === undefined) {
    return [fail('stands in keyturn.yaml but not in Temporal: run keyturn schedule apply')];
  }
  if (state.owner !== 'ours') return [fail('its ID is taken by a schedule that is not ours: give it another name')];
  return [
    ...differs(desired, state),
    ...(state.paused ? [pauseOf(state)] : [...noNextRun(state, facts.nowMs), ...didNotAct(state, facts)]),
    ...lastRunFailed(state, facts),
  ];
}

function differs(desired: DesiredSchedule | undefined, state: ScheduleState): readonly ScheduleComplaint[] {
  if (desired === undefined) return [warn('stands in Temporal but not in keyturn.yaml: run keyturn schedule apply')];
  const changes = changedFields(desired.definition, state.definition);
  if (changes.length === 0) return [];
  return [warn(`differs from keyturn.yaml in ${changes.join(', ')}: run keyturn schedule apply`)];
}

function pauseOf({ note }: ScheduleState): ScheduleComplaint {
  const how = note === FILE_PAUSE_NOTE ? 'by keyturn.yaml' : `(${note})`;
  return warn(`paused ${how}: no rotation starts by itself`);
}

function noNextRun({ nextRunsMs: [next] }: ScheduleState, nowMs: number): readonly ScheduleComplaint[] {
  if (next === undefined) return [fail('has no next run: run keyturn schedule apply')];
  const lateMs = nowMs - next;
  if (lateMs <= GRACE_MS) return [];
  return [
    fail(
      `should have acted at ${iso(next)}, ${formatDuration(lateMs)} ago, and did not: it stands still in Temporal; delete it with temporal schedule delete and run keyturn schedule apply`,
    ),
  ];
}

/** Judged by the calendar, not by what the server says that it will do: a schedule that silently stopped looks well. */
function didNotAct(state: ScheduleState, { lastRotationMs, nowMs }: ScheduleFacts): readonly ScheduleComplaint[] {
  const { definition, runs, running, buffered, createdAtMs, updatedAtMs } = state;
  if (definition === null || definition.times === null) return [];
  const dueMs = latestTime(definition.times, nowMs - definition.jitterMs - GRACE_MS);
  if (dueMs === null || running + buffered > 0) return [];
  const since = Math.max(createdAtMs, updatedAtMs ?? 0);
  const acted = runs.some(({ scheduledAtMs }) => scheduledAtMs >= dueMs);
  if (dueMs <= since || acted || (lastRotationMs !== null && lastRotationMs >= dueMs)) return [];
  return [
    fail(
      `was due at ${iso(dueMs)} and did not start a rotation (it was paused then, or Temporal was away for longer than catchupWindow): run keyturn schedule trigger`,
    ),
  ];
}

/** Only the last one counts, and only until a rotation has ended after it. */
function lastRunFailed({ runs }: ScheduleState, { lastRotationMs }: ScheduleFacts): readonly ScheduleComplaint[] {
  const last = runs.at(-1);
  if (last === undefined || last.status !== 'failed') return [];
  if (lastRotationMs !== null && lastRotationMs > last.takenAtMs) return [];
  return [
    fail(
      `its last run ${last.workflowId} of ${iso(last.takenAtMs)} failed: read why in Temporal, mend it, then run keyturn schedule trigger`,
    ),
  ];
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function warn(sentence: string): ScheduleComplaint {
  return { level: 'warn', sentence };
}

function fail(sentence: string): ScheduleComplaint {
  return { level: 'fail', sentence };
}
