// A worker whose clock is wrong: its word does not shorten what relying parties and tokens are given.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { drainOf, planOf } from '../rotation/observed-cluster.ts';
import { RotationHarness } from './rotation-harness.ts';

const MINUTE_MS = 60_000;
let harness: RotationHarness;
beforeAll(async () => {
  harness = await RotationHarness.create();
});
afterAll(() => harness.stop());

test.for([-10, 0, 10])(
  'with the clock of the worker %i min off, both waits are as long as planned',
  async (minutes) => {
    const drain = drainOf({ policy: 'fixed', durationMs: 40 * MINUTE_MS, allowShorter: 'test' });
    const world = harness.world({ plan: planOf(['node-1'], drain, 200), workerClockMs: minutes * MINUTE_MS });
    const audit = await harness.rotate(world, { cluster: 'prod' }, async ({ handle, until }) => {
      await harness.skip(until, ({ state }) => state === 'ended');
      return handle.result();
    });

    expect(audit.outcome).toBe('completed');
    const lengthsMs = audit.waits.map(({ from, until }) => Date.parse(until) - Date.parse(from));
    // Each is counted from the proof of the step before, a moment before the wait is entered. The first stands for a time that cannot be skipped.
    expect(lengthsMs[0]).toBeGreaterThan(20);
    expect(lengthsMs[0]).toBeLessThan(MINUTE_MS);
    expect(lengthsMs[1]).toBeGreaterThan(39 * MINUTE_MS);
    expect(lengthsMs[1]).toBeLessThan(41 * MINUTE_MS);
  },
);
