// Durations as Go's flags write them: `24h`, `1h30m`, `2160h0m0s`.

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3, // U+00B5 micro sign
  μs: 1e-3, // U+03BC Greek letter mu
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

const PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/gy;

/** Go counts nanoseconds in 63 bits: some 292 years. */
const MAX_MS = 2 ** 63 / 1e6;

/** In ms; undefined where Go's time.ParseDuration would not read it, or it is negative. */
export function parseGoDuration(text: string): number | undefined {
  if (text === '0') return 0;
  let ms = 0;
  let end = 0;
  for (const [part, number = '', unit = ''] of text.matchAll(PART)) {
    ms += Number(number) * (UNIT_MS[unit] ?? NaN);
    end += part.length;
  }
  return text !== '' && end === text.length && ms < MAX_MS ? ms : undefined;
}
