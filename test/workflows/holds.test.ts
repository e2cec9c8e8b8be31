// What holds a rotation until a person decides: a step that failed for good, and a token that was rejected.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drainOf, planOf } from '../rotation/observed-cluster.ts';
import { decide, refusal } from './deciding.ts';
import { RotationHarness } from './rotation-harness.ts';

let harness: RotationHarness;
beforeAll(async () => {
  harness = await RotationHarness.create();
});
afterAll(() => harness.stop());

const NODES = ['n1', 'n2'];

describe('a step that failed for good', () => {
  it('is held with its code, and each retry tries it once', async () => {
    const world = harness.world({ nodes: NODES });
    const fails = { fault: 'fails', code: 'MANIFEST_REFUSED', message: 'The API server did not come.' } as const;
    world.inject('trust/n2', fails, fails);
    await harness.rotate(world, {}, async ({ handle, until }) => {
      const first = await until(({ state }) => state === 'held');
      expect(first.held).toMatchObject({ step: 'trust/n2', code: 'MANIFEST_REFUSED', message: fails.message });
      await expect(decide(handle, 'approve')).rejects.toMatchObject(
        refusal(/^approve is not possible: the rotation is held/),
      );
      expect(await decide(handle, 'retry')).toBe('Tries the held step again.');
      await until(({ held }) => held !== null && held.since !== first.held?.since);
      await decide(handle, 'retry');
      const audit = await handle.result();
      expect(audit.outcome).toBe('completed');
      expect(audit.holds.map(({ step }) => step)).toEqual(['trust/n2', 'trust/n2']);
      expect(audit.holds.every(({ until: end }) => end !== null)).toBe(true);
    });
  });

  it('may be the audit record itself: the run ends when it was written', async () => {
    const world = harness.world({ nodes: NODES });
    world.inject('conclude', { fault: 'fails', code: 'LOCK_LOST' });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      const held = await harness.skip(until, ({ state }) => state === 'held');
      expect(held).toMatchObject({
        held: { step: 'conclude', code: 'LOCK_LOST' },
        possible: ['pause', 'retry', 'abort'],
      });
      await decide(handle, 'retry');
      expect(await handle.result()).toMatchObject({ outcome: 'completed', holds: [{ step: 'conclude' }] });
    });
  });
});

describe('what was waited for is waited for again', () => {
  it('where a node that joined may have signed with the former key meanwhile', async () => {
    const durationMs = 1500;
    const plan = planOf(NODES, drainOf({ policy: 'fixed', durationMs, allowShorter: 'test' }), 1000);
    const world = harness.world({ plan });
    world.inject('pruneKey', { fault: 'fails', code: 'GUARD_FAILED', guards: ['noUnknownApiServer'] });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      const { held } = await until(({ state }) => state === 'held');
      expect(held).toMatchObject({ step: 'prune-key' });
      await decide(handle, 'retry');
      // Time does not skip here: tokens are probed in Pruning.
      const { wait, phase } = await until(({ state }) => state === 'waiting');
      expect(phase).toBe('Pruning');
      expect(Date.parse(wait?.until ?? '') - Date.parse(held?.since ?? '')).toBeGreaterThan(durationMs);
      expect(await handle.result()).toMatchObject({ outcome: 'completed', holds: [{ step: 'prune-key' }] });
    });
  });

  it('where an API server that serves the JWKS did not show the new key meanwhile', async () => {
    const cacheMs = 1500;
    const plan = planOf(NODES, drainOf({ policy: 'refreshing' }), cacheMs, null, 'by-trusting');
    const world = harness.world({ plan });
    world.inject('sign/n1', { fault: 'fails', code: 'GUARD_FAILED', guards: ['everyoneTrustsNext'] });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      const { held } = await until(({ state }) => state === 'held');
      expect(held).toMatchObject({ step: 'sign/n1' });
      await decide(handle, 'retry');
      const { wait, phase } = await until(({ state }) => state === 'waiting');
      expect(phase).toBe('Signing');
      expect(Date.parse(wait?.until ?? '') - Date.parse(held?.since ?? '')).toBeGreaterThan(cacheMs);
      expect(await handle.result()).toMatchObject({ outcome: 'completed', holds: [{ step: 'sign/n1' }] });
    });
  });
});

describe('a rejected token', () => {
  it('holds the rotation before the next step; retry probes on', async () => {
    const world = harness.world({ nodes: NODES });
    world.inject('trust/n1', { fault: 'completes though cancelled' });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      await until(() => world.hanging.includes('trust/n1') && world.rejectToken !== null);
      world.rejectToken?.();
      await until(() => world.probing === 0);
      world.letGo('trust/n1');
      const { held } = await until(({ state }) => state === 'held');
      expect(held).toMatchObject({
        step: 'trust/n2',
        code: 'TOKEN_REJECTED',
        message: 'node-2 rejected a token of node-1',
      });
      expect(world.done.at(-1)).toBe('trust/n1');
      await decide(handle, 'retry');
      const audit = await handle.result();
      expect(audit).toMatchObject({
        outcome: 'completed',
        probes: { rejected: 1 },
        holds: [{ code: 'TOKEN_REJECTED' }],
      });
      expect(audit.probes?.checks).toBe(30);
    });
  });

  it('is not waited out: it holds in the middle of a long wait, which then ends when it would have', async () => {
    const plan = planOf(NODES, drainOf({ policy: 'refreshing' }), 4000);
    const world = harness.world({ plan });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      const { wait } = await until(({ state }) => state === 'waiting');
      await until(() => world.rejectToken !== null);
      world.rejectToken?.();
      const { held } = await until(({ state }) => state === 'held');
      expect(held).toMatchObject({ step: 'wait-for-relying-parties', code: 'TOKEN_REJECTED' });
      await decide(handle, 'retry');
      expect((await until(({ state }) => state === 'waiting')).wait).toEqual(wait);
      expect(await handle.result()).toMatchObject({ outcome: 'completed' });
    });
  });

  it('holds at a gate, which asks again afterwards', async () => {
    const world = harness.world({ nodes: NODES });
    await harness.rotate(world, { gates: ['signing'] }, async ({ handle, until }) => {
      await until(({ state }) => state === 'gated' && world.rejectToken !== null);
      world.rejectToken?.();
      await until(({ state }) => state === 'held');
      await decide(handle, 'retry');
      await until(({ state }) => state === 'gated');
      await decide(handle, 'approve');
      expect(await handle.result()).toMatchObject({ outcome: 'completed' });
    });
  });

  it('does not keep a rotation from being rolled back', async () => {
    const world = harness.world({ nodes: NODES });
    const before = world.cluster.remains();
    await harness.rotate(world, { gates: ['pruning'] }, async ({ handle, until }) => {
      world.inject('switchControllerManager/n2', { fault: 'completes though cancelled' });
      await until(() => world.hanging.includes('switchControllerManager/n2') && world.rejectToken !== null);
      world.rejectToken?.();
      await until(() => world.probing === 0);
      world.letGo('switchControllerManager/n2');
      await until(({ state }) => state === 'held');
      await decide(handle, 'rollBack');
      expect(await handle.result()).toMatchObject({ outcome: 'rolled-back', probes: { rejected: 1 }, holds: [{}] });
      expect(world.cluster.remains()).toEqual(before);
    });
  });
});
