import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from '../../src/rotation/duration.ts';

describe('parseDuration', () => {
  it.each([
    ['0s', 0],
    ['500ms', 500],
    ['90s', 90_000],
    ['1m', 60_000],
    ['1m500ms', 60_500],
    ['1h30m', 5_400_000],
    ['24h', 86_400_000],
    ['90d', 7_776_000_000],
    ['1d2h3m4s5ms', 93_784_005],
  ])('reads %s as %i ms', (text, ms) => expect(parseDuration(text)).toBe(ms));

  it.each(['', '5', 'h', '1y', '3 months', '1 h', '-1h', '1.5h', '1h1d', '1h1h', '1hm', 'PT1H', '1h '])(
    'does not read %j',
    (text) => expect(parseDuration(text)).toBeUndefined(),
  );
});

describe('formatDuration', () => {
  it.each([
    [0, '0s'],
    [1, '1ms'],
    [999, '999ms'],
    [999.6, '1s'],
    [1000, '1s'],
    [1499, '1s'],
    [59_500, '1m'],
    [3_600_000, '1h'],
    [3_661_000, '1h 1m'],
    [86_860_000, '1d 7m'],
    [31_536_000_000, '365d'],
    [31_536_300_000, '365d 5m'],
  ])('writes %d ms as %s', (ms, text) => expect(formatDuration(ms)).toBe(text));

  it('writes what parseDuration reads back, to within what two units leave out', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_294_967_296_000 }), (ms) => {
        const readBack = parseDuration(formatDuration(ms).replaceAll(' ', ''));
        expect(readBack).toBeDefined();
        const tolerance = ms < 1000 ? 0 : ms < 3_600_000 ? 500 : ms < 86_400_000 ? 60_000 : 3_600_000;
        expect(Math.abs((readBack ?? NaN) - ms)).toBeLessThanOrEqual(tolerance);
      }),
    );
  });
});
