// The way back, from every step: asked for by an Update, by a cancellation, while the step obeys and while it cannot stop half way.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drainOf, planOf } from '../rotation/observed-cluster.ts';
import { RotationHarness, type RotationHandle } from './rotation-harness.ts';
import type { Fault } from './simulated-activities.ts';

let harness: RotationHarness;
beforeAll(async () => {
  harness = await RotationHarness.create();
});
afterAll(() => harness.stop());

const NODES = ['n1', 'n2'];
const STAGING = ['removeBackUp/n2', 'removeBackUp/n1', 'discardKey'];
const PUBLISHING = ['withdrawKey', ...STAGING];
const TRUSTING = ['distrust/n2', 'distrust/n1', ...PUBLISHING];
/** The guards of the drain are checked before it begins. */
const SIGNERS = [
  'restoreControllerManager/n2',
  'signWithFormer/n2',
  'restoreControllerManager/n1',
  'signWithFormer/n1',
];
const SIGNING = [...SIGNERS, 'checkGuards', ...TRUSTING];
const REFRESHING = [...SIGNERS, 'restoreLegacyTokens', 'checkGuards', ...TRUSTING];

const FROM: readonly (readonly [call: string, wayBack: readonly string[]])[] = [
  ['stageKey', ['discardKey']],
  ['backUp/n2', STAGING],
  ['publishKey', PUBLISHING],
  ['trust/n1', ['distrust/n1', ...PUBLISHING]],
  ['trust/n2', TRUSTING],
  ['sign/n1', ['signWithFormer/n1', 'checkGuards', ...TRUSTING]],
  ['switchControllerManager/n1', ['restoreControllerManager/n1', 'signWithFormer/n1', 'checkGuards', ...TRUSTING]],
  ['switchControllerManager/n2', SIGNING],
  ['verify', SIGNING],
  ['refresh', REFRESHING],
  ['settleLegacyTokens', REFRESHING],
  ['pruneKey', ['republishFormer', 'checkGuards', ...REFRESHING]],
];

const update = async (handle: RotationHandle) =>
  void (await handle.executeUpdate('rollBack', { args: [{ reason: 'a test', by: 'ann' }] }));
const cancel = async (handle: RotationHandle) => void (await handle.cancel());

const ASKED: readonly (readonly [string, typeof update, string, string, readonly Fault['fault'][]])[] = [
  ['an Update', update, 'rollBack', 'ann', ['stops when cancelled', 'completes though cancelled']],
  ['a cancellation', cancel, 'cancel', 'not stated', ['completes though cancelled']],
];

describe.each(ASKED)('by %s', (_, ask, decision, by, faults) => {
  describe.each(faults)('a step that %s', (fault) => {
    it.each(FROM)('%s is taken back, and all before it, the last first', async (call, wayBack) => {
      const world = harness.world({ nodes: NODES });
      const before = world.cluster.remains();
      world.inject(call, { fault } as Fault);
      await harness.rotate(world, {}, async ({ handle, until, status }) => {
        const isUnderWay = () => world.hanging.includes(call);
        await (['settleLegacyTokens', 'pruneKey'].includes(call) ? harness.skip(until, isUnderWay) : until(isUnderWay));
        await ask(handle);
        const audit = await handle.result();
        expect(audit).toMatchObject({ outcome: 'rolled-back', holds: [], decisions: [{ decision, by }] });
        expect(world.done.includes(call)).toBe(fault === 'completes though cancelled');
        expect(world.done.slice(-wayBack.length - 1)).toEqual([...wayBack, 'conclude']);
        expect(world.cluster.remains()).toEqual(before);
        expect(world.probing).toBe(0);
        const gkectl = { status: 'False', tokenVersion: 1 };
        expect(await status()).toMatchObject({ state: 'ended', possible: [], gkectl });
        const drains = audit.waits.filter(({ reason }) => reason.includes('no token of the new key'));
        expect(drains).toHaveLength(wayBack.some((each) => each.startsWith('signWithFormer')) ? 1 : 0);
        for (const wait of drains) {
          expect(Date.parse(wait.until) - Date.parse(wait.from)).toBeGreaterThan(86_859_000);
        }
      });
    });
  });

  it.each<[string, string, readonly string[]]>([
    ['Publishing', 'relyingParties', PUBLISHING],
    ['Draining', 'drain', REFRESHING],
  ])('it ends the wait of %s', async (phase, wait, wayBack) => {
    const plan = planOf(NODES, drainOf({ policy: 'refreshing' }), wait === 'drain' ? 200 : 3_600_000);
    const world = harness.world({ plan });
    const before = world.cluster.remains();
    await harness.rotate(world, {}, async ({ handle, until }) => {
      await until((status) => status.state === 'waiting' && status.phase === phase);
      await ask(handle);
      expect(await handle.result()).toMatchObject({ outcome: 'rolled-back', holds: [] });
      expect(world.done.slice(-wayBack.length - 1)).toEqual([...wayBack, 'conclude']);
      expect(world.cluster.remains()).toEqual(before);
    });
  });

  it('it ends a hold', async () => {
    const world = harness.world({ nodes: NODES });
    world.inject('trust/n2', { fault: 'fails', code: 'MANIFEST_REFUSED' });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      await until(({ state }) => state === 'held');
      await ask(handle);
      const audit = await handle.result();
      expect(audit).toMatchObject({ outcome: 'rolled-back', holds: [{ step: 'trust/n2', code: 'MANIFEST_REFUSED' }] });
      expect(world.done.slice(-TRUSTING.length - 1)).toEqual([...TRUSTING, 'conclude']);
    });
  });

  it('it ends a pause, and what was not begun needs no drain', async () => {
    const world = harness.world({ nodes: NODES });
    world.inject('trust/n2', { fault: 'completes though cancelled' });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      await until(() => world.hanging.includes('trust/n2'));
      await handle.executeUpdate('pause', { args: [{ reason: 'lunch' }] });
      world.letGo('trust/n2');
      await until(({ state, phase }) => state === 'paused' && phase === 'Signing');
      await ask(handle);
      expect(await handle.result()).toMatchObject({ outcome: 'rolled-back' });
      expect(world.done.slice(-TRUSTING.length - 1)).toEqual([...TRUSTING, 'conclude']);
    });
  });

  it('it ends a gate', async () => {
    const world = harness.world({ nodes: NODES });
    await harness.rotate(world, { gates: ['signing'] }, async ({ handle, until }) => {
      await until(({ state }) => state === 'gated');
      await ask(handle);
      expect(await handle.result()).toMatchObject({ outcome: 'rolled-back' });
      expect(world.done.slice(-TRUSTING.length - 1)).toEqual([...TRUSTING, 'conclude']);
    });
  });
});

describe('the way back', () => {
  it('is held where a step of it fails for good, and goes on after retry', async () => {
    const world = harness.world({ nodes: NODES });
    const before = world.cluster.remains();
    world.inject('sign/n1', { fault: 'fails', code: 'MANIFEST_REFUSED' });
    world.inject('distrust/n2', { fault: 'fails', code: 'NODE_UNREACHABLE' });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      await until(({ state }) => state === 'held');
      await update(handle);
      const held = await harness.skip(until, ({ held: now }) => now?.step === 'undo/trust/n2');
      expect(held).toMatchObject({ state: 'held', phase: 'Trusting', possible: ['pause', 'retry'] });
      await expect(update(handle)).rejects.toMatchObject({
        cause: {
          message: 'rollBack is not possible: the rotation is being rolled back already. Possible now: pause, retry.',
        },
      });
      await handle.executeUpdate('retry', { args: [{ reason: 'the node is back' }] });
      expect(await handle.result()).toMatchObject({ outcome: 'rolled-back' });
      expect(world.cluster.remains()).toEqual(before);
    });
  });

  it('cannot be asked for twice, and is not disturbed by a cancellation', async () => {
    const world = harness.world({ nodes: NODES });
    world.inject('trust/n2', { fault: 'completes though cancelled' });
    world.inject('distrust/n1', { fault: 'completes though cancelled' });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      await until(() => world.hanging.includes('trust/n2'));
      await update(handle);
      await until(() => world.hanging.includes('distrust/n1'));
      await expect(update(handle)).rejects.toMatchObject({ cause: { type: 'DECISION_REFUSED' } });
      await cancel(handle);
      await until(({ state }) => state === 'rolling-back');
      await handle.executeUpdate('pause', { args: [{ reason: 'a look' }] });
      world.letGo('distrust/n1');
      await until(({ state }) => state === 'paused');
      await handle.executeUpdate('resume', { args: [{ reason: 'seen' }] });
      const audit = await handle.result();
      expect(audit.outcome).toBe('rolled-back');
      expect(audit.decisions.map(({ decision }) => decision)).toEqual(['rollBack', 'cancel', 'pause', 'resume']);
      expect(world.done.slice(-TRUSTING.length - 1)).toEqual([...TRUSTING, 'conclude']);
    });
  });

  it('takes back what a former run did, even where this run has not come to it', async () => {
    const plan = planOf(NODES, drainOf({ policy: 'refreshing' }), 200);
    const world = harness.world({ plan });
    const before = world.cluster.remains();
    world.cluster.nowMs = (await harness.env.currentTimeMs()) - 3_600_000;
    const waits = {};
    for (const step of plan.steps.slice(0, 11)) world.cluster.act(step.action, waits);
    world.inject('stageKey', { fault: 'stops when cancelled' });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      await until(() => world.hanging.includes('stageKey'));
      await update(handle);
      expect(await handle.result()).toMatchObject({ outcome: 'rolled-back', takenUp: true, holds: [] });
      expect(world.done).toEqual([...REFRESHING, 'conclude']);
      expect(world.cluster.remains()).toEqual(before);
    });
  });

  it('lets the drain of the new key be changed while it waits', async () => {
    const world = harness.world({ nodes: NODES });
    world.inject('sign/n1', { fault: 'fails', code: 'MANIFEST_REFUSED' });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      await until(({ state }) => state === 'held');
      await update(handle);
      await until(({ state, phase }) => state === 'waiting' && phase === 'Draining');
      const drain = { policy: 'fixed', durationMs: 0, allowShorter: 'nobody got a token yet' };
      await handle.executeUpdate('changeDrain', { args: [{ reason: 'no token was signed', drain }] });
      await until(({ state }) => state === 'ended');
      const audit = await handle.result();
      expect(audit.waits.at(-1)).toMatchObject({ override: 'nobody got a token yet' });
    });
  });

  it('begins at once where the workflow is cancelled during Preflight', async () => {
    const world = harness.world({ nodes: NODES });
    world.inject('preflight', { fault: 'completes though cancelled' });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      await until(() => world.hanging.includes('preflight'));
      await cancel(handle);
      expect(await handle.result()).toMatchObject({ outcome: 'rolled-back', decisions: [{ decision: 'cancel' }] });
      expect(world.done).toEqual(['conclude']);
    });
  });
});

describe('past the point of no return', () => {
  const refused = {
    cause: {
      message: 'rollBack is not possible: Untrusting is past the point of no return. Possible now: pause, abort.',
    },
  };

  it('rollBack is refused, and a cancellation finishes forward', async () => {
    const world = harness.world({ nodes: NODES });
    world.inject('untrust/n1', { fault: 'completes though cancelled' });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      await harness.skip(until, () => world.hanging.includes('untrust/n1'));
      await expect(update(handle)).rejects.toMatchObject(refused);
      await cancel(handle);
      await until(() => world.hanging.includes('untrust/n1'));
      world.letGo('untrust/n1');
      const audit = await handle.result();
      expect(audit).toMatchObject({ outcome: 'completed', holds: [], decisions: [{ decision: 'cancel' }] });
      expect(audit.decisions[0]?.reason).toContain('finishes forward');
    });
  });

  it('abort finishes forward, through a hold, a pause and the gates that are left', async () => {
    const world = harness.world({ nodes: NODES });
    world.inject('untrust/n1', { fault: 'fails', code: 'MANIFEST_REFUSED' });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      await harness.skip(until, ({ state }) => state === 'held');
      await handle.executeUpdate('pause', { args: [{ reason: 'a look' }] });
      const said = await handle.executeUpdate('abort', { args: [{ reason: 'enough' }] });
      expect(said).toBe('Past the point of no return: finishes forward.');
      expect(await handle.result()).toMatchObject({ outcome: 'completed' });
    });
  });

  it('abort before it is a roll back', async () => {
    const world = harness.world({ nodes: NODES });
    world.inject('trust/n1', { fault: 'fails', code: 'MANIFEST_REFUSED' });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      await until(({ state }) => state === 'held');
      const said = await handle.executeUpdate('abort', { args: [{ reason: 'enough' }] });
      expect(said).toBe('Rolls back: takes every step back, the last first.');
      expect(await handle.result()).toMatchObject({ outcome: 'rolled-back', decisions: [{ decision: 'abort' }] });
    });
  });
});
