import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { observePatiently } from '../../src/activities/observe-patiently.ts';
import type { PreflightFacts } from '../../src/rotation/preflight.ts';
import { apiServer, preflightFacts } from '../rotation/observed-cluster.ts';

const fine = preflightFacts();
const brokeOnce = preflightFacts({
  observationProblems: [{ code: 'PUBLISHER_UNREACHABLE', subject: 'https://issuer.example', message: 'ECONNRESET.' }],
});
const withoutOne = preflightFacts({}, [
  apiServer('node-1'),
  apiServer('node-2'),
  apiServer('node-3', { ready: false, unreadyReason: 'ECONNREFUSED' }),
]);
const wrong = preflightFacts({ publicKids: [] });

/** One after the other, then the last again and again. */
function observing(seen: readonly PreflightFacts[], signal = new AbortController().signal) {
  const told: string[] = [];
  const report = (progress: string) => void told.push(progress);
  let looks = 0;
  const observe = async () => seen[Math.min(looks++, seen.length - 1)]!;
  return { observe, control: { signal, report }, told, looks: () => looks };
}

describe('Preflight looks', () => {
  test.each<[string, readonly PreflightFacts[]]>([
    ['once, where everything was reached', [fine]],
    ['once, where something is wrong that stays', [wrong]],
    ['again, where a connection broke', [brokeOnce, fine]],
    ['again, until the last API server is ready', [brokeOnce, withoutOne, fine]],
  ])('%s', async (_, seen) => {
    const { observe, control, told, looks } = observing(seen);
    expect(await observePatiently(observe, control, { totalMs: 60_000, pauseMs: 0 })).toBe(seen.at(-1));
    expect(looks()).toBe(seen.length);
    expect(told).toHaveLength(seen.length - 1);
  });

  test('for so long, and then judges by the last', async () => {
    const { observe, control, looks } = observing([brokeOnce, withoutOne]);
    expect(await observePatiently(observe, control, { totalMs: 50, pauseMs: 20 })).toBe(withoutOne);
    expect(looks()).toBeGreaterThan(1);
  });

  test('once, where that took as long already', async () => {
    const { observe, control, looks } = observing([withoutOne, fine]);
    const slowly = () => sleep(60).then(observe);
    expect(await observePatiently(slowly, control, { totalMs: 50, pauseMs: 0 })).toBe(withoutOne);
    expect(looks()).toBe(1);
  });

  test('no more once it is cancelled', async () => {
    const { observe, control } = observing([brokeOnce], AbortSignal.abort());
    await expect(observePatiently(observe, control)).rejects.toMatchObject({ name: 'AbortError' });
  });
});
