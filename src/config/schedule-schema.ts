// The shape of `schedules` in keyturn.yaml.
import { z } from 'zod';
import { LAST_DAY, MONTHS, QUARTERLY, TIME_PATTERN, WEEKDAY_PATTERN } from '../schedules/calendar.ts';
import { duration, gates, name } from './fields.ts';

const calendar = z.strictObject({
  months: z
    .array(z.enum(MONTHS))
    .min(1)
    .default([...QUARTERLY.months])
    .describe('Months in which it acts'),
  on: z
    .union([
      z.int().min(1).max(LAST_DAY),
      z
        .string()
        .regex(WEEKDAY_PATTERN, 'must be a day from 1 to 28, or first to fourth and a weekday: second wednesday'),
    ])
    .default(QUARTERLY.on)
    .describe('Day of the month, 1 to 28; or one such as `second wednesday`'),
  at: z
    .string()
    .regex(TIME_PATTERN, 'must be a time such as 02:00, in UTC')
    .default(QUARTERLY.at)
    .describe('Time of day in UTC, as HH:MM'),
});

const schedule = z.strictObject({
  name: name.describe('The schedule has the ID keyturn/<name> in Temporal'),
  cluster: name.optional().describe('Name of a cluster; may be left out where only one is configured'),
  calendar: calendar.prefault({}).describe('When it acts; default: second Wednesday of each quarter, 02:00 UTC'),
  jitter: duration('Each run starts at a random moment within this time').prefault('0s'),
  catchupWindow: duration(
    'A run that was due while Temporal was away is started late by at most this much; later it is left out',
  ).prefault('72h'),
  gates: gates.optional().describe("Where its runs ask for approval; default: the cluster's"),
  reason: z.string().min(1).optional().describe('Stands in the audit record; default: schedule <name>'),
  paused: z
    .boolean()
    .optional()
    .describe('true or false: the file decides; left out: operators do, with keyturn schedule pause and resume'),
});

export const schedules = z.array(schedule);
