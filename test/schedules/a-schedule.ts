// A schedule as keyturn.yaml wants it and as Temporal has it, for the tables of reconcile and health.
import { describeCalendar, toTimes } from '../../src/schedules/calendar.ts';
import type { DesiredSchedule, ScheduleDefinition } from '../../src/schedules/definition.ts';
import type { ScheduleState } from '../../src/schedules/schedule-state.ts';

const calendar = { months: ['january', 'april', 'july', 'october'], on: 'second wednesday', at: '02:00' } as const;

export const definition: ScheduleDefinition = {
  times: toTimes(calendar),
  calendar: describeCalendar(calendar),
  jitterMs: 3_600_000,
  catchupWindowMs: 259_200_000,
  overlap: 'BUFFER_ONE',
  pauseOnFailure: false,
  workflowType: 'rotateSigningKey',
  workflowId: 'keyturn/prod',
  taskQueue: 'keyturn',
  input: { cluster: 'prod', reason: 'schedule prod', requestedBy: 'schedule keyturn/prod' },
  summary: 'Rotate the signing key of prod',
  details: 'Cluster: **prod**',
};

export function desired(changes: Partial<DesiredSchedule> = {}): DesiredSchedule {
  return { id: 'keyturn/prod', cluster: 'prod', definition, paused: undefined, ...changes };
}

export function existing(changes: Partial<ScheduleState> = {}): ScheduleState {
  return {
    id: 'keyturn/prod',
    owner: 'ours',
    definition,
    paused: false,
    note: '',
    buffered: 0,
    nextRunsMs: [Date.parse('2027-01-13T02:20:00Z')],
    runs: [],
    running: 0,
    runsTaken: 0,
    createdAtMs: Date.parse('2026-01-01T00:00:00Z'),
    updatedAtMs: null,
    ...changes,
  };
}
