// What Temporal says about a schedule: its definition, and what it has done and will do.
import type { Client, ScheduleDescription } from '@temporalio/client';
import { ScheduleNotFoundError } from '@temporalio/client';
import { isScheduleId } from './definition.ts';
import type { ExistingSchedule, Owner } from './reconcile.ts';
import { fromTemporal } from './temporal-form.ts';

/** Of a run that the schedule started. */
export type RunStatus = 'running' | 'completed' | 'failed' | 'unknown';

export interface ScheduledRun {
  readonly workflowId: string;
  /** ms since the epoch, when it was due. */
  readonly scheduledAtMs: number;
  readonly takenAtMs: number;
  readonly status: RunStatus;
}

/** Times are ms since the epoch. */
export interface ScheduleState extends ExistingSchedule {
  readonly nextRunsMs: readonly number[];
  /** The latest ten, the last one last. */
  readonly runs: readonly ScheduledRun[];
  readonly running: number;
  readonly runsTaken: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number | null;
}

/** The memo cannot be changed after creation, so it tells for good who made the schedule. */
export function ownerMemo(taskQueue: string): Record<string, string> {
  return { managedBy: 'keyturn', taskQueue };
}

function ownerOf(memo: ScheduleDescription['memo'], taskQueue: string): Owner {
  if (memo?.['managedBy'] !== 'keyturn') return 'not-keyturn';
  return memo['taskQueue'] === taskQueue ? 'ours' : 'another-task-queue';
}

/**
 * Every schedule of ours, and whatever else has one of the wanted IDs. The list of schedules lags behind what was just changed: it only finds what
 * may be unwanted; what a schedule really is, is asked of itself.
 */
export async function readSchedules(
  client: Client,
  taskQueue: string,
  wantedIds: readonly string[],
): Promise<readonly ScheduleState[]> {
  const ids = new Set(wantedIds);
  for await (const { scheduleId, memo } of client.schedule.list()) {
    if (isScheduleId(scheduleId) && ownerOf(memo, taskQueue) === 'ours') ids.add(scheduleId);
  }
  const states = await Promise.all([...ids].map((id) => readSchedule(client, taskQueue, id)));
  return states.filter((state) => state !== undefined);
}

/** Undefined where there is none of that ID. */
export async function readSchedule(client: Client, taskQueue: string, id: string): Promise<ScheduleState | undefined> {
  try {
    const description = await client.schedule.getHandle(id).describe();
    return toState(description, ownerOf(description.memo, taskQueue));
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return undefined;
    throw error;
  }
}

function toState(description: ScheduleDescription, owner: Owner): ScheduleState {
  const { scheduleId: id, state, info, raw } = description;
  return {
    id,
    owner,
    definition: owner === 'ours' ? fromTemporal(description) : null,
    paused: state.paused,
    note: state.note ?? '',
    // The SDK's own description leaves these two out.
    buffered: Number(raw.info?.bufferSize ?? 0),
    runs: info.recentActions.map(({ scheduledAt, takenAt, action }, index) => ({
      workflowId: action.workflow.workflowId,
      scheduledAtMs: scheduledAt.getTime(),
      takenAtMs: takenAt.getTime(),
      status: statusOf(raw.info?.recentActions?.[index]?.startWorkflowStatus),
    })),
    nextRunsMs: info.nextActionTimes.map((time) => time.getTime()),
    running: info.runningActions.length,
    runsTaken: info.numActionsTaken,
    createdAtMs: info.createdAt.getTime(),
    updatedAtMs: info.lastUpdatedAt?.getTime() ?? null,
  };
}

/** `temporal.api.enums.v1.WorkflowExecutionStatus` */
function statusOf(status: number | null | undefined): RunStatus {
  switch (status) {
    case 1: // RUNNING
    case 6: // CONTINUED_AS_NEW
    case 8: // PAUSED
      return 'running';
    case 2: // COMPLETED; a cancelled rotation rolls back, and completes
      return 'completed';
    case 3: // FAILED
    case 4: // CANCELED
    case 5: // TERMINATED
    case 7: // TIMED_OUT
      return 'failed';
    default:
      return 'unknown';
  }
}
