// When a schedule acts: from keyturn.yaml's words to numbers and moments.
import { describe, expect, test } from 'vitest';
import { describeCalendar, latestTime, toTimes, type Calendar } from '../../src/schedules/calendar.ts';

const quarterly: Calendar = { months: ['january', 'april', 'july', 'october'], on: 'second wednesday', at: '02:00' };
const tenth: Calendar = { months: ['october', 'january'], on: 10, at: '23:59' };

describe('as numbers', () => {
  test('the second Wednesday is the Wednesday among the days 8 to 14', () => {
    expect(toTimes(quarterly)).toEqual({
      months: [1, 4, 7, 10],
      days: [8, 9, 10, 11, 12, 13, 14],
      weekdays: [3],
      hour: 2,
      minute: 0,
    });
  });

  test('a day of the month is any weekday; months are sorted', () => {
    expect(toTimes(tenth)).toEqual({
      months: [1, 10],
      days: [10],
      weekdays: [0, 1, 2, 3, 4, 5, 6],
      hour: 23,
      minute: 59,
    });
  });

  test.for([
    ['first sunday', [1, 2, 3, 4, 5, 6, 7], [0]],
    ['third monday', [15, 16, 17, 18, 19, 20, 21], [1]],
    ['fourth saturday', [22, 23, 24, 25, 26, 27, 28], [6]],
  ] as const)('%s', ([on, days, weekdays]) => {
    expect(toTimes({ ...quarterly, on })).toMatchObject({ days, weekdays });
  });
});

test.for([
  [quarterly, 'on the second wednesday of january, april, july and october at 02:00 UTC'],
  [tenth, 'on day 10 of january and october at 23:59 UTC'],
  [{ ...tenth, months: ['may'] }, 'on day 10 of may at 23:59 UTC'],
] as const)('in words: %j', ([calendar, words]) => {
  expect(describeCalendar(calendar)).toBe(words);
});

describe('the latest moment at which it acts', () => {
  test.for([
    ['on the minute', '2026-10-14T02:00:00Z', '2026-10-14T02:00:00Z'],
    ['a moment before', '2026-10-14T01:59:59.999Z', '2026-07-08T02:00:00Z'],
    ['later that day', '2026-10-14T23:00:00Z', '2026-10-14T02:00:00Z'],
    ['in the next year', '2027-01-12T00:00:00Z', '2026-10-14T02:00:00Z'],
    ['in the first week, before the second Wednesday', '2027-04-13T00:00:00Z', '2027-01-13T02:00:00Z'],
  ])('%s', ([, before, latest]) => {
    const found = latestTime(toTimes(quarterly), Date.parse(before!));
    expect(new Date(found!).toISOString()).toBe(new Date(latest!).toISOString());
  });

  test('never, where no day has the number', () => {
    expect(
      latestTime({ ...toTimes(quarterly), days: [31], months: [2] }, Date.parse('2026-01-01T00:00:00Z')),
    ).toBeNull();
  });

  test('the longest time between two of the default is 98 days, which policies.maxKeyAge of 105 days leaves a week for', () => {
    const gaps: number[] = [];
    const times = toTimes(quarterly);
    let later = latestTime(times, Date.parse('2060-01-01T00:00:00Z'))!;
    for (let count = 0; count < 120; count++) {
      const earlier = latestTime(times, later - 1)!;
      gaps.push((later - earlier) / 86_400_000);
      later = earlier;
    }
    expect(Math.max(...gaps)).toBe(98);
    expect(Math.min(...gaps)).toBe(84);
  });
});
