// Durations as people read them in progress lines.

/** E.g. `8 s`, `2 min 10 s`. */
export function durationText(durationMs: number): string {
  const seconds = Math.round(durationMs / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
