// When a schedule acts: as people write it in keyturn.yaml, as sets of numbers, and as words. All in UTC.
import { DAY_MS, MINUTE_MS } from '../rotation/duration.ts';

export const MONTHS = [
  'january',
  'february',
  'march',
  'april',
  'may',
  'june',
  'july',
  'august',
  'september',
  'october',
  'november',
  'december',
] as const;
export type Month = (typeof MONTHS)[number];

export const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'] as const;
const WEEKS = ['first', 'second', 'third', 'fourth'] as const;

/** `second wednesday`; there is no fifth, since most months have none. */
export const WEEKDAY_PATTERN = new RegExp(`^(${WEEKS.join('|')}) (${WEEKDAYS.join('|')})$`);
/** `02:00` */
export const TIME_PATTERN = /^([01]\d|2[0-3]):[0-5]\d$/;
/** The last day that every month has. */
export const LAST_DAY = 28;

/**
 * Every quarter, on the second Wednesday at 02:00 UTC: never in the week of New Year, nor on a Monday or Friday that may be a holiday; and when it
 * needs a person, the working day is about to begin in Europe.
 */
export const QUARTERLY = {
  months: ['january', 'april', 'july', 'october'],
  on: 'second wednesday',
  at: '02:00',
} as const;

/** As keyturn.yaml has it. */
export interface Calendar {
  readonly months: readonly Month[];
  /** Day of the month, 1 to 28; or `second wednesday`. */
  readonly on: number | string;
  readonly at: string;
}

/** The same as numbers: a minute matches if all of its parts do. Sorted, none twice. */
export interface CalendarTimes {
  /** 1 to 12 */
  readonly months: readonly number[];
  /** 1 to 31 */
  readonly days: readonly number[];
  /** 0 (Sunday) to 6 */
  readonly weekdays: readonly number[];
  readonly hour: number;
  readonly minute: number;
}

export function toTimes({ months, on, at }: Calendar): CalendarTimes {
  const [hour = 0, minute = 0] = at.split(':').map(Number);
  const inMonths = MONTHS.flatMap((month, index) => (months.includes(month) ? [index + 1] : []));
  if (typeof on === 'number') return { months: inMonths, days: [on], weekdays: range(0, 6), hour, minute };
  const [week, weekday] = on.split(' ');
  const from = 1 + 7 * WEEKS.findIndex((name) => name === week);
  const days = range(from, from + 6);
  return { months: inMonths, days, weekdays: [WEEKDAYS.findIndex((name) => name === weekday)], hour, minute };
}

/** `on the second wednesday of january, april, july and october at 02:00 UTC` */
export function describeCalendar({ months, on, at }: Calendar): string {
  const day = typeof on === 'number' ? `day ${on}` : `the ${on}`;
  const names = MONTHS.filter((month) => months.includes(month));
  const list = names.length === MONTHS.length ? 'every month' : names.join(', ').replace(/, (?=[^,]*$)/, ' and ');
  return `on ${day} of ${list} at ${at} UTC`;
}

/** The latest moment, not after `beforeMs`, at which the calendar acts; ms since the epoch. Null where it never does. */
export function latestTime(times: CalendarTimes, beforeMs: number): number | null {
  const ofDayMs = (times.hour * 60 + times.minute) * MINUTE_MS;
  const latestDay = Math.floor((beforeMs - ofDayMs) / DAY_MS);
  // Whatever it is, it is there within eight years: 29 February is missing in 1900 and 2100.
  for (let day = latestDay; day > latestDay - 8 * 366; day--) {
    const date = new Date(day * DAY_MS);
    const matches =
      times.months.includes(date.getUTCMonth() + 1) &&
      times.days.includes(date.getUTCDate()) &&
      times.weekdays.includes(date.getUTCDay());
    if (matches) return day * DAY_MS + ofDayMs;
  }
  return null;
}

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}
