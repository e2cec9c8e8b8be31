// A rotation with a probe pod: kubelet's time is a declared wait, and a pod whose token stays old holds the rotation.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Plan } from '../../src/rotation/plan.ts';
import { drainOf, planOf } from '../rotation/observed-cluster.ts';
import { decide } from './deciding.ts';
import { RotationHarness, type RunningRotation } from './rotation-harness.ts';

let harness: RotationHarness;
beforeAll(async () => {
  harness = await RotationHarness.create();
});
afterAll(() => harness.stop());

const NODES = ['n1', 'n2'];
/** 80 % of 1 h, 10 s and 90 s. */
const KUBELET_MS = 2_980_000;

/** Without token probes: time is not skipped while an activity runs. */
function planWith(awaitRefresh: boolean): Plan {
  const probePod = { tokenLifetimeMs: 3_600_000, awaitRefresh };
  return { ...planOf(NODES, drainOf({ policy: 'refreshing' }), 200, probePod), probed: [] };
}

/** Lets kubelet's time pass. */
async function skipKubelet(until: RunningRotation['until']): Promise<void> {
  const { wait } = await until(({ state, phase }) => state === 'waiting' && phase === 'Refreshing');
  await harness.env.sleep(Date.parse(wait?.until ?? '') - (await harness.env.currentTimeMs()));
}

describe('a rotation with a probe pod', () => {
  it('tells for what it waits and until when, proves the refresh, and leaves no pod', async () => {
    const world = harness.world({ plan: planWith(true) });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      const { wait, possible } = await until(({ state, phase }) => state === 'waiting' && phase === 'Refreshing');
      const mintedMs = Date.parse(world.cluster.podTokenSince() ?? '');
      expect(Date.parse(wait?.until ?? '') - mintedMs).toBe(KUBELET_MS);
      expect(wait?.reason).toContain('48m (kubelet replaces a token at 80 % of its 1h)');
      expect(possible).toContain('rollBack');
      const audit = await handle.result();
      expect(audit).toMatchObject({ outcome: 'completed', holds: [] });
      expect(audit.waits.map(({ reason }) => reason)).toContain(
        'Wait up to 49m 40s until kubelet has replaced the token of the pod from before',
      );
      const steps = ['startProbePod', 'trust/n1', 'verify', 'verifyWithPod', 'provePodRefresh', 'pruneKey'];
      expect(world.done.filter((done) => steps.includes(done))).toEqual(steps);
      expect(world.cluster.remains().probePod).toBeNull();
    });
  });

  it('does not add to the drain, which counts from Verifying', async () => {
    const world = harness.world({ plan: planWith(true) });
    await harness.rotate(world, {}, async ({ until, handle }) => {
      await skipKubelet(until);
      const { wait } = await until(({ state, phase }) => state === 'waiting' && phase === 'Draining');
      const verifiedAt = world.cluster.milestones.verifiedAt ?? '';
      const drainMs = Date.parse(wait?.until ?? '') - Date.parse(verifiedAt);
      expect(drainMs).toBeGreaterThanOrEqual(86_860_000);
      // The kubelet wait alone is longer than that.
      expect(drainMs).toBeLessThan(86_860_000 + 60_000);
      await handle.cancel();
      expect(await handle.result()).toMatchObject({ outcome: 'rolled-back' });
    });
  });

  it('waits for nothing where no refresh is awaited', async () => {
    const world = harness.world({ plan: planWith(false) });
    await harness.rotate(world, {}, async ({ handle }) => {
      const audit = await handle.result();
      expect(audit.waits.map(({ reason }) => reason)).toEqual([
        'Wait 200ms until every relying party has the new key',
        'Wait 1d 7m until no token of the former key can matter',
      ]);
      expect(world.done).toContain('verifyWithPod');
    });
  });

  it('is held where the pod keeps its token, and goes on when someone has looked', async () => {
    const world = harness.world({ plan: planWith(true) });
    const late = { fault: 'fails', code: 'TOKEN_NOT_REFRESHED', message: 'pod x still holds the token of former-kid' };
    world.inject('provePodRefresh', late as never);
    await harness.rotate(world, {}, async ({ handle, until }) => {
      await skipKubelet(until);
      const { held } = await until(({ state }) => state === 'held');
      expect(held).toMatchObject({ step: 'prove-pod-refresh', code: 'TOKEN_NOT_REFRESHED', message: late.message });
      expect(world.done).not.toContain('pruneKey');
      await decide(handle, 'retry');
      expect(await handle.result()).toMatchObject({ outcome: 'completed' });
    });
  });

  it('asks again by itself while kubelet may only be late', async () => {
    const world = harness.world({ plan: planWith(true) });
    const late = { fault: 'fails', code: 'TOKEN_NOT_REFRESHED', retryable: true } as const;
    world.inject('provePodRefresh', late, late);
    await harness.rotate(world, {}, async ({ handle }) => {
      expect(await handle.result()).toMatchObject({ outcome: 'completed', holds: [] });
    });
  });

  it('removes the pod when it is rolled back while it waits for kubelet', async () => {
    const world = harness.world({ plan: planWith(true) });
    const before = world.cluster.remains();
    await harness.rotate(world, {}, async ({ handle, until }) => {
      await until(({ state, phase }) => state === 'waiting' && phase === 'Refreshing');
      expect(world.cluster.remains().probePod).not.toBeNull();
      await decide(handle, 'rollBack');
      expect(await handle.result()).toMatchObject({ outcome: 'rolled-back' });
      expect(world.cluster.remains()).toEqual(before);
      expect(world.done.indexOf('removeProbePod')).toBeGreaterThan(world.done.indexOf('withdrawKey'));
    });
  });

  it('removes the pod when the pod itself is what failed', async () => {
    const world = harness.world({ plan: planWith(true) });
    const before = world.cluster.remains();
    world.inject('startProbePod', { fault: 'fails', code: 'PROBE_POD_UNREADY' });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      await until(({ state }) => state === 'held');
      await decide(handle, 'rollBack');
      expect(await handle.result()).toMatchObject({ outcome: 'rolled-back' });
      expect(world.done.filter((done) => !done.startsWith('backUp'))).toEqual([
        'stageKey',
        'removeProbePod',
        'removeBackUp/n2',
        'removeBackUp/n1',
        'discardKey',
        'conclude',
      ]);
      expect(world.cluster.remains()).toEqual(before);
    });
  });
});
