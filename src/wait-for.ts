// Asks again and again until something is seen, the time is up, or the step is stopped.
import { setTimeout as sleepFor } from 'node:timers/promises';
import type { StepControl } from './platforms/port.ts';

/** What was seen, in words; or why it was not. */
export type Sighting = { readonly proof: string } | { readonly missing: string };

/** Time as the platform sees it. */
export interface Clock {
  /** ms since the epoch */
  now(): number;
  /** Rejects when the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<unknown>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) => sleepFor(ms, undefined, { signal }),
};

export interface Patience {
  readonly clock: Clock;
  /** How long to wait in all, in ms. */
  readonly timeoutMs: number;
  /** Pause between two looks, in ms. */
  readonly pollMs: number;
  readonly signal: AbortSignal;
  /** Told after each look what is still missing. */
  readonly onMissing: (missing: string, waitedMs: number) => void;
}

/**
 * The first proof, or what was missing when the time was up. Looks at least once.
 * @throws the signal's reason where the step is stopped
 */
export async function waitFor<T extends Sighting>(look: () => Promise<T>, patience: Patience): Promise<T> {
  const { clock, timeoutMs, pollMs, signal } = patience;
  const startedAt = clock.now();
  for (;;) {
    signal.throwIfAborted();
    const seen = await look();
    const sighting: Sighting = seen;
    const waitedMs = clock.now() - startedAt;
    if ('proof' in sighting || waitedMs >= timeoutMs) return seen;
    patience.onMissing(sighting.missing, waitedMs);
    try {
      await clock.sleep(pollMs, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
  }
}

/** Tells of what is missing as long as it waits. */
export function patienceOf(
  timing: Pick<Patience, 'clock' | 'pollMs'>,
  timeoutMs: number,
  { signal, report }: StepControl,
  what: string,
): Patience {
  const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
  return {
    clock: timing.clock,
    timeoutMs,
    pollMs: timing.pollMs,
    signal,
    onMissing: (missing, waitedMs) => report(`${what}, ${seconds(waitedMs)} of ${seconds(timeoutMs)}: ${missing}`),
  };
}
