// Durations for people: written in configuration, shown in plans and status.

export const SECOND_MS = 1000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

const UNITS: readonly (readonly [string, number])[] = [
  ['d', DAY_MS],
  ['h', HOUR_MS],
  ['m', MINUTE_MS],
  ['s', SECOND_MS],
  ['ms', 1],
];

/** Accepts `1h30m`, `24h`, `90d`, `500ms`. No years or months: their length differs. */
export const DURATION_PATTERN = /^(?=\d)(\d+d)?(\d+h)?(\d+m(?!s))?(\d+s)?(\d+ms)?$/;

/** ms of a duration that fits DURATION_PATTERN; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  if (!DURATION_PATTERN.test(text)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)(ms|[dhms])/g)) {
    const unitMs = UNITS.find(([name]) => name === unit)?.[1] ?? Number.NaN;
    totalMs += Number(amount) * unitMs;
  }
  return totalMs;
}

/** `1d 2h`, `5m 30s`, `0s`: at most two units, so that long waits stay readable; parts below a second only for waits under one. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  if (Math.round(ms) < SECOND_MS) return `${Math.round(ms)}ms`;
  let rest = Math.round(ms / SECOND_MS) * SECOND_MS;
  const parts: string[] = [];
  for (const [unit, unitMs] of UNITS) {
    const amount = Math.floor(rest / unitMs);
    if (amount > 0) parts.push(`${amount}${unit}`);
    rest -= amount * unitMs;
    if (parts.length === 2) break;
  }
  return parts.join(' ');
}
