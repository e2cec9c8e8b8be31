// A schedule's definition in Temporal's own form, there and back.
import type { ScheduleDescription, ScheduleOptions, ScheduleUpdateOptions } from '@temporalio/client';
import type { RotationInput } from '../activities/contract.ts';
import { MONTHS, WEEKDAYS, type CalendarTimes } from './calendar.ts';
import type { ScheduleDefinition } from './definition.ts';

type Form = Pick<ScheduleOptions, 'spec' | 'action'> & Required<Pick<ScheduleUpdateOptions, 'policies'>>;
type CalendarSpec = NonNullable<ScheduleOptions['spec']['calendars']>[number];
type CalendarDescription = NonNullable<ScheduleDescription['spec']['calendars']>[number];
type MonthName = Exclude<Extract<CalendarSpec['month'], string>, '*'>;
type WeekdayName = Exclude<Extract<CalendarSpec['dayOfWeek'], string>, '*'>;

export function toTemporal(definition: ScheduleDefinition): Form {
  const { times, calendar, jitterMs, input, workflowType, workflowId, taskQueue, summary, details } = definition;
  return {
    spec: { calendars: times === null ? [] : [toCalendarSpec(times, calendar)], jitter: jitterMs },
    action: {
      type: 'startWorkflow',
      workflowType,
      workflowId,
      taskQueue,
      args: [input],
      staticSummary: summary,
      staticDetails: details,
    },
    policies: {
      overlap: definition.overlap as NonNullable<Form['policies']['overlap']>,
      catchupWindow: definition.catchupWindowMs,
      pauseOnFailure: definition.pauseOnFailure,
    },
  };
}

/** Null where it has something that `toTemporal` never writes. */
export function fromTemporal({ spec, action, policies, state }: ScheduleDescription): ScheduleDefinition | null {
  const [calendar, ...others] = spec.calendars ?? [];
  const times = calendar === undefined ? null : fromCalendarSpec(calendar);
  const foreign = [
    ...others,
    ...(spec.intervals ?? []),
    ...(spec.skip ?? []),
    ...[spec.startAt, spec.endAt, state.remainingActions, action.retry].filter((value) => value !== undefined),
    ...[action.workflowExecutionTimeout, action.workflowRunTimeout].filter((value) => value !== undefined),
  ];
  const isUtc = [undefined, '', 'UTC'].includes(spec.timezone);
  if (times === 'foreign' || foreign.length > 0 || !isUtc) return null;
  return {
    times,
    calendar: calendar?.comment ?? '',
    jitterMs: spec.jitter ?? 0,
    catchupWindowMs: policies.catchupWindow,
    overlap: policies.overlap ?? '',
    pauseOnFailure: policies.pauseOnFailure,
    workflowType: action.workflowType,
    workflowId: action.workflowId ?? '',
    taskQueue: action.taskQueue,
    input: (action.args?.[0] ?? {}) as RotationInput,
    summary: action.staticSummary ?? '',
    details: action.staticDetails ?? '',
  };
}

function toCalendarSpec({ months, days, weekdays, hour, minute }: CalendarTimes, comment: string): CalendarSpec {
  return {
    month: months.flatMap((month) => MONTHS.slice(month - 1, month).map((name) => name.toUpperCase() as MonthName)),
    dayOfMonth: [...days],
    dayOfWeek: weekdays.flatMap((weekday) =>
      WEEKDAYS.slice(weekday, weekday + 1).map((name) => name.toUpperCase() as WeekdayName),
    ),
    hour,
    minute,
    comment,
  };
}

function fromCalendarSpec(spec: CalendarDescription): CalendarTimes | 'foreign' {
  const [hour, ...otherHours] = numbers(spec.hour);
  const [minute, ...otherMinutes] = numbers(spec.minute);
  const seconds = numbers(spec.second);
  const isOneMoment = otherHours.length === 0 && otherMinutes.length === 0 && seconds.length === 1 && seconds[0] === 0;
  if (hour === undefined || minute === undefined || !isOneMoment || spec.year.length > 0) return 'foreign';
  return {
    months: numbers(spec.month.map((range) => positions(MONTHS, range, 1))),
    days: numbers(spec.dayOfMonth),
    weekdays: numbers(spec.dayOfWeek.map((range) => positions(WEEKDAYS, range, 0))),
    hour,
    minute,
  };
}

interface NumberRange {
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

function positions(
  names: readonly string[],
  { start, end, step }: { readonly start: string; readonly end: string; readonly step: number },
  first: number,
): NumberRange {
  const position = (name: string) => names.indexOf(name.toLowerCase()) + first;
  return { start: position(start), end: position(end), step };
}

/** Every number of the ranges, sorted, none twice. */
function numbers(ranges: readonly NumberRange[]): readonly number[] {
  const all = new Set<number>();
  for (const { start, end, step } of ranges) {
    for (let value = start; value <= Math.max(start, end); value += Math.max(1, step)) all.add(value);
  }
  return [...all].toSorted((a, b) => a - b);
}
