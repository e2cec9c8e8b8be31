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

describe('Preflight looks', () => {
  test.each<[string, readonly PreflightFacts[], number]>([
    ['once, where everything was reached', [fine], 1],
    ['once, where something is wrong that stays', [wrong, fine], 1],
    ['again, where a connection broke', [brokeOnce, fine], 2],
    ['again, where an API server was not ready', [brokeOnce, withoutOne, fine], 3],
    ['three times in all, and then judges by the last', [withoutOne, withoutOne, withoutOne, fine], 3],
  ])('%s', async (_, seen, looks) => {
    const left = [...seen];
    const told: string[] = [];
    const observed = await observePatiently(
      async () => left.shift()!,
      { signal: new AbortController().signal, report: (progress) => told.push(progress) },
      0,
    );
    expect(observed).toBe(seen[looks - 1]);
    expect(seen.length - left.length).toBe(looks);
    expect(told).toHaveLength(looks - 1);
  });

  test('no more once it is cancelled', async () => {
    const cancelled = AbortSignal.abort();
    const observing = observePatiently(async () => brokeOnce, { signal: cancelled, report: () => undefined }, 60_000);
    await expect(observing).rejects.toMatchObject({ name: 'AbortError' });
  });
});
