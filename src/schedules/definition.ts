// What a schedule of ours is: made from keyturn.yaml, and read back from Temporal in the same shape, so that the two can be compared.
import type { RotationInput } from '../activities/contract.ts';
import { findCluster } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { describeCalendar, toTimes, type CalendarTimes } from './calendar.ts';

const ID_PREFIX = 'keyturn/';
const WORKFLOW_TYPE = 'rotateSigningKey';

/** Everything about a schedule that keyturn.yaml decides, but for being paused. */
export interface ScheduleDefinition {
  /** Null: it never acts by itself. */
  readonly times: CalendarTimes | null;
  /** The same in words. */
  readonly calendar: string;
  /** ms */
  readonly jitterMs: number;
  /** ms for which a run that was due while Temporal was away is still started. */
  readonly catchupWindowMs: number;
  /** BUFFER_ONE: a run that is due while another of this schedule is under way starts when that ends, instead of never. */
  readonly overlap: string;
  /** False: a run fails only where Preflight refused, which changed nothing; the next quarter shall try again. */
  readonly pauseOnFailure: boolean;
  readonly workflowType: string;
  /** The server appends the time. */
  readonly workflowId: string;
  readonly taskQueue: string;
  readonly input: RotationInput;
  readonly summary: string;
  readonly details: string;
}

/** A schedule as keyturn.yaml wants it. */
export interface DesiredSchedule {
  readonly id: string;
  readonly cluster: string;
  readonly definition: ScheduleDefinition;
  /** Undefined where the file says nothing: then it is the operators' to pause and resume it. */
  readonly paused: boolean | undefined;
}

export function scheduleId(name: string): string {
  return `${ID_PREFIX}${name}`;
}

export function isScheduleId(id: string): boolean {
  return id.startsWith(ID_PREFIX);
}

export function desiredSchedules(config: Config): readonly DesiredSchedule[] {
  const { schedules = [], taskQueue } = config;
  return schedules.map(({ name, calendar, jitter, catchupWindow, gates, reason, paused, ...rest }) => {
    const id = scheduleId(name);
    const cluster = findCluster(config, rest.cluster).name;
    const why = reason ?? `schedule ${name}`;
    return {
      id,
      cluster,
      paused,
      definition: {
        times: toTimes(calendar),
        calendar: describeCalendar(calendar),
        jitterMs: jitter,
        catchupWindowMs: catchupWindow,
        overlap: 'BUFFER_ONE',
        pauseOnFailure: false,
        workflowType: WORKFLOW_TYPE,
        workflowId: id,
        taskQueue,
        input: {
          cluster,
          reason: why,
          requestedBy: `schedule ${id}`,
          ...(gates === undefined ? {} : { gates }),
        },
        summary: `Rotate the signing key of ${cluster}`,
        details: `Cluster: **${cluster}**\n\nReason: ${why}\n\nRequested by: schedule ${id}, ${describeCalendar(calendar)}`,
      },
    };
  });
}
