// The same workflow on platforms that order trust and signing themselves: what is done, what can be decided, and how a run is taken up.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ASKED_FOR, BY_ITSELF, HANDED_OVER, managedPlanOf } from '../rotation/managed-capabilities.ts';
import { SimulatedCluster } from '../rotation/simulated-cluster.ts';
import { decide, refusal } from './deciding.ts';
import { RotationHarness } from './rotation-harness.ts';

let harness: RotationHarness;
beforeAll(async () => {
  harness = await RotationHarness.create();
});
afterAll(() => harness.stop());

const planFor = (capabilities: Parameters<typeof managedPlanOf>[0]) =>
  managedPlanOf(capabilities, { relyingPartyCacheMs: 200 });

describe('where the platform is handed a key', () => {
  const plan = planFor(HANDED_OVER);

  it('the rotation goes to its end', async () => {
    const world = harness.world({ plan });
    const audit = await harness.rotate(world, {}, ({ handle }) => handle.result());
    expect(audit.outcome).toBe('completed');
    expect(audit.holds).toEqual([]);
    expect(world.done).toEqual([
      'stageKey',
      'publishKey',
      'beginRotation',
      'followRotation',
      'verify',
      'refresh',
      'settleLegacyTokens',
      'pruneKey',
      'forgetFormer',
      'retire',
      'conclude',
    ]);
    expect(audit.keys.map(({ role }) => role)).toEqual(['retired', 'active']);
  });

  it.each([
    ['beginRotation', 'completes though cancelled'],
    ['followRotation', 'stops when cancelled'],
  ] as const)(
    'it is rolled back from %s, the former key handed over again and the drain waited out',
    async (call, fault) => {
      const world = harness.world({ plan });
      const before = world.cluster.remains();
      world.inject(call, { fault });
      await harness.rotate(world, {}, async ({ handle, until }) => {
        await until(() => world.hanging.includes(call));
        const rolledBack = decide(handle, 'rollBack');
        await until(({ state }) => state === 'rolling-back');
        world.letGo(call);
        await rolledBack;
        const audit = await handle.result();
        expect(audit.outcome).toBe('rolled-back');
        expect(audit.holds).toEqual([]);
      });
      expect(world.done.slice(world.done.indexOf('takeBackRotation'))).toEqual([
        'takeBackRotation',
        'checkGuards',
        'forgetNext',
        'withdrawKey',
        'discardKey',
        'conclude',
      ]);
      expect(world.cluster.remains()).toEqual(before);
    },
  );

  it('what the platform reports as failed holds in its own words, and a retry follows it again', async () => {
    const world = harness.world({ plan });
    const message = 'node-2: installer pod failed: no space left on device';
    world.inject('followRotation', { fault: 'fails', code: 'PLATFORM_FAILED', message });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      const { held, possible } = await until(({ state }) => state === 'held');
      expect(held).toMatchObject({ step: 'follow-rotation', code: 'PLATFORM_FAILED', message });
      expect(possible).toEqual(['retry', 'rollBack', 'changeDrain', 'abort']);
      await decide(handle, 'retry');
      expect((await handle.result()).outcome).toBe('completed');
    });
  });
});

describe('where the platform makes the key', () => {
  const plan = planFor(ASKED_FOR);

  it('the key is unknown until it is seen, and the gap until it was public stands in the audit record', async () => {
    const world = harness.world({ plan });
    world.inject('followRotation', { fault: 'completes though cancelled' });
    await harness.rotate(world, {}, async ({ handle, until, status }) => {
      await until(() => world.hanging.includes('followRotation'));
      const { keys, possible, limits } = await status();
      expect(keys.map(({ kid, role }) => [kid, role])).toEqual([['former-kid', 'active']]);
      expect(possible).toEqual(['changeDrain', 'abort']);
      expect(limits).toContain('There is no way back once the platform has begun.');
      await expect(decide(handle, 'rollBack')).rejects.toMatchObject(
        refusal('rollBack is not possible: Signing is past the point of no return. Possible now: changeDrain, abort.'),
      );
      await expect(decide(handle, 'pause')).rejects.toMatchObject(
        refusal('pause is not possible: in Signing the platform goes on by itself. Possible now: changeDrain, abort.'),
      );
      world.letGo('followRotation');
      const audit = await handle.result();
      expect(audit.outcome).toBe('completed');
      expect(audit.steps.find(({ id }) => id === 'follow-rotation')).toMatchObject({ publicationGapMs: 4200 });
      expect(audit.waits.map(({ reason }) => reason)[0]).toBe('Wait 200ms until every relying party has the new key');
      expect(audit.keys.map(({ kid, role }) => [kid, role])).toEqual([
        ['former-kid', 'retired'],
        ['next-kid', 'active'],
      ]);
    });
  });

  it('a run that takes it up goes on forward with the same key', async () => {
    const cluster = new SimulatedCluster(plan, 0);
    cluster.act({ type: 'recordRotation' }, {});
    cluster.act({ type: 'beginRotation' }, {});
    const world = harness.world({ plan, cluster });
    world.inject('beginRotation', { fault: 'completes though cancelled' });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      await until(() => world.hanging.includes('beginRotation'));
      expect((await until(() => true)).possible).not.toContain('rollBack');
      world.letGo('beginRotation');
      expect(await handle.result()).toMatchObject({ outcome: 'completed', takenUp: true });
    });
  });
});

describe('where the platform goes to the end by itself', () => {
  it('nothing can be decided but to give up, which finishes forward', async () => {
    const world = harness.world({ plan: planFor(BY_ITSELF) });
    world.inject('followRotation', { fault: 'completes though cancelled' });
    await harness.rotate(world, {}, async ({ handle, until, status }) => {
      await until(() => world.hanging.includes('followRotation'));
      expect((await status()).possible).toEqual(['abort']);
      await expect(decide(handle, 'changeDrain', { drain: { policy: 'refreshing' } })).rejects.toMatchObject(
        refusal(
          'changeDrain is not possible: the platform forgets the former key by itself, without a drain. Possible now: abort.',
        ),
      );
      expect(await decide(handle, 'abort')).toBe('Past the point of no return: finishes forward.');
      world.letGo('followRotation');
      expect(await handle.result()).toMatchObject({ outcome: 'completed' });
    });
    expect(world.done).toEqual([
      'recordRotation',
      'beginRotation',
      'followRotation',
      'checkGuards',
      'verify',
      'retire',
      'conclude',
    ]);
  });
});
