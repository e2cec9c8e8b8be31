// An operator changes how long Draining waits, while the rotation is under way.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drainOf, planOf } from '../rotation/observed-cluster.ts';
import { SimulatedCluster } from '../rotation/simulated-cluster.ts';
import { decide, refusal } from './deciding.ts';
import { RotationHarness } from './rotation-harness.ts';

let harness: RotationHarness;
beforeAll(async () => {
  harness = await RotationHarness.create();
});
afterAll(() => harness.stop());

const NODES = ['n1', 'n2'];

describe('changeDrain', () => {
  const longer = { policy: 'fixed', durationMs: 172_800_000 };
  const shorter = { policy: 'fixed', durationMs: 1000 };

  it('longer takes effect at once, counted from the same moment', async () => {
    const world = harness.world({ nodes: NODES });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      const { wait } = await until(({ phase, state }) => phase === 'Draining' && state === 'waiting');
      const said = await decide(handle, 'changeDrain', { drain: longer });
      expect(said).toBe('The drain is now 2d (fixed by configuration) = 2d.');
      const changed = await until((status) => status.wait?.until !== wait?.until);
      expect(Date.parse(changed.wait?.until ?? '') - Date.parse(wait?.until ?? '')).toBe(172_800_000 - 86_860_000);
      expect(changed.steps.find(({ id }) => id === 'drain')?.summary).toContain('Wait 2d ');
      const audit = await handle.result();
      const drain = audit.waits.at(-1)!;
      expect(Date.parse(drain.until) - Date.parse(drain.from)).toBeGreaterThan(172_798_000);
      expect(audit.plannedWaits?.drain.totalMs).toBe(172_800_000);
    });
  });

  it('shorter needs an override, which is recorded, and ends the wait at once', async () => {
    // Clients that let go of a token after half a second.
    const drain = drainOf({ policy: 'fixed', durationMs: 500, allowShorter: 'a lab' });
    const world = harness.world({ nodes: NODES, cluster: new SimulatedCluster(planOf(NODES, drain, 200), 0) });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      await until(({ phase, state }) => phase === 'Draining' && state === 'waiting');
      await expect(decide(handle, 'changeDrain', { drain: shorter })).rejects.toMatchObject(
        refusal(/^changeDrain is refused: a drain of 1s is shorter than the 1d 7m/),
      );
      await decide(handle, 'changeDrain', { drain: { ...shorter, allowShorter: 'nothing runs here' } });
      await until(({ state }) => state === 'ended');
      expect((await handle.result()).waits.at(-1)).toMatchObject({ override: 'nothing runs here' });
    });
  });

  it('before Draining begins counts for it, too', async () => {
    const world = harness.world({ nodes: NODES });
    await harness.rotate(world, { gates: ['signing'] }, async ({ handle, until }) => {
      await until(({ state }) => state === 'gated');
      await decide(handle, 'changeDrain', { drain: longer });
      await decide(handle, 'approve');
      const { steps } = await until(({ phase }) => phase === 'Draining');
      expect(steps.find(({ id }) => id === 'drain')?.summary).toContain('Wait 2d ');
      const drain = (await handle.result()).waits.at(-1)!;
      expect(drain).toMatchObject({ reason: expect.stringContaining('Wait 2d ') });
      expect(Date.parse(drain.until) - Date.parse(drain.from)).toBeGreaterThan(172_798_000);
    });
  });

  it('is refused with a sentence for what is no drain, and the run lives on', async () => {
    const world = harness.world({ nodes: NODES });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      await until(({ phase, state }) => phase === 'Draining' && state === 'waiting');
      for (const drain of [undefined, null, {}, { policy: 'fixed' }, { policy: 'fixed', durationMs: 1e300 }, '24h']) {
        await expect(decide(handle, 'changeDrain', { drain })).rejects.toMatchObject(
          refusal(/^changeDrain is refused: a drain is \{"policy"/),
        );
      }
      expect(await handle.result()).toMatchObject({ outcome: 'completed', decisions: [] });
    });
  });
});
