// What operators decide while a rotation runs, and what they are told.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drainOf, planOf } from '../rotation/observed-cluster.ts';
import { SimulatedCluster } from '../rotation/simulated-cluster.ts';
import { RotationHarness, type RotationHandle } from './rotation-harness.ts';

let harness: RotationHarness;
beforeAll(async () => {
  harness = await RotationHarness.create();
});
afterAll(() => harness.stop());

const NODES = ['n1', 'n2'];
const UPDATES = ['pause', 'resume', 'approve', 'retry', 'rollBack', 'changeDrain', 'abort'] as const;
const decide = (handle: RotationHandle, update: string, more: object = {}): Promise<string> =>
  handle.executeUpdate<string, [object]>(update, { args: [{ reason: 'a test', by: 'ann', ...more }] });
const refusal = (sentence: string | RegExp) => ({
  cause: {
    type: 'DECISION_REFUSED',
    message: typeof sentence === 'string' ? sentence : expect.stringMatching(sentence),
  },
});

describe('a decision', () => {
  it.each(UPDATES)('%s is refused without a reason, and nothing enters the history', async (update) => {
    const world = harness.world({ nodes: NODES });
    await harness.rotate(world, { gates: ['signing'] }, async ({ handle, until }) => {
      await until(({ state }) => state === 'gated');
      for (const args of [[], [null], [{}], [{ reason: ' ' }]]) {
        await expect(
          handle.executeUpdate<string, [object | null]>(update, { args: args as unknown as [null] }),
        ).rejects.toMatchObject(
          refusal(`${update} needs a reason: it stands in the audit record. Send {"reason": "..."}.`),
        );
      }
      const { events } = await handle.fetchHistory();
      expect(events?.some((event) => event.workflowExecutionUpdateAcceptedEventAttributes != null)).toBe(false);
      // A terminated run would leave its probes behind, and time is not skipped while they run.
      await decide(handle, 'rollBack');
      await handle.result();
    });
  });

  it.each(UPDATES)('%s is refused with a sentence while Preflight runs', async (update) => {
    const world = harness.world({ nodes: NODES });
    world.inject('preflight', { fault: 'completes though cancelled' });
    await harness.rotate(world, { cluster: 'prod' }, async ({ handle, until }) => {
      const status = await until(() => world.hanging.includes('preflight'));
      expect(status).toMatchObject({
        state: 'preflight',
        phase: 'Preflight',
        cluster: 'prod',
        possible: [],
        waits: null,
      });
      await expect(decide(handle, update)).rejects.toMatchObject(
        refusal(
          `${update} is not possible: Preflight is under way and has changed nothing; to give up, cancel the workflow. Nothing can be decided now.`,
        ),
      );
      world.letGo('preflight');
      expect(await handle.result()).toMatchObject({ outcome: 'completed', decisions: [] });
    });
  });

  it('that comes when the rotation has ended is refused', async () => {
    const world = harness.world({ nodes: NODES });
    await harness.rotate(world, {}, async ({ handle }) => {
      await handle.result();
      await expect(decide(handle, 'pause')).rejects.toThrow();
    });
  });
});

describe('pause', () => {
  it('completes the step under way, stops before the next, and resume goes on', async () => {
    const world = harness.world({ nodes: NODES });
    world.inject('trust/n1', { fault: 'completes though cancelled' });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      await until(() => world.hanging.includes('trust/n1'));
      expect(await decide(handle, 'pause')).toBe('Stops before the next step.');
      await expect(decide(handle, 'pause')).rejects.toMatchObject(refusal(/^pause is not possible: .*resume/));
      world.letGo('trust/n1');
      const paused = await until(({ state }) => state === 'paused');
      expect(paused).toMatchObject({ phase: 'Trusting', wait: { reason: 'paused by an operator', until: null } });
      expect(world.done.at(-1)).toBe('trust/n1');
      expect(await decide(handle, 'resume')).toBe('Goes on.');
      const audit = await handle.result();
      expect(audit).toMatchObject({
        outcome: 'completed',
        decisions: [{ decision: 'pause', by: 'ann' }, { decision: 'resume' }],
      });
    });
  });

  it('does not stop a wait, but what comes after it', async () => {
    const world = harness.world({ nodes: NODES });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      await until(({ phase, state }) => phase === 'Draining' && state === 'waiting');
      await decide(handle, 'pause');
      await harness.skip(until, ({ state, phase }) => state === 'paused' && phase === 'Pruning');
      await decide(handle, 'resume');
      expect(await handle.result()).toMatchObject({ outcome: 'completed' });
    });
  });

  it('while held keeps the retried step waiting until resume', async () => {
    const world = harness.world({ nodes: NODES });
    world.inject('trust/n1', { fault: 'fails', code: 'MANIFEST_REFUSED' });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      await until(({ state }) => state === 'held');
      await decide(handle, 'pause');
      await decide(handle, 'retry');
      await until(({ state }) => state === 'paused');
      expect(world.done).not.toContain('trust/n1');
      await decide(handle, 'resume');
      expect(await handle.result()).toMatchObject({ outcome: 'completed' });
    });
  });
});

describe('a gate', () => {
  it('waits for an approval each: one does not open the next', async () => {
    const world = harness.world({ nodes: NODES });
    await harness.rotate(world, { gates: ['signing', 'pruning', 'each-node'] }, async ({ handle, until }) => {
      for (const [before, phase, gate] of [
        ['publishKey', 'Trusting', 'each-node'],
        ['trust/n1', 'Trusting', 'each-node'],
        ['trust/n2', 'Signing', 'signing'],
        ['switchControllerManager/n1', 'Signing', 'each-node'],
      ] as const) {
        const gated = await until(({ state }) => state === 'gated' && world.done.at(-1) === before);
        expect(gated).toMatchObject({
          phase,
          wait: { reason: expect.stringContaining(`gate "${gate}"`), until: null },
        });
        expect(await decide(handle, 'approve')).toBe('Approved; goes on.');
      }
      await harness.skip(until, ({ state, phase }) => state === 'gated' && phase === 'Pruning');
      await decide(handle, 'approve');
      // Nothing was untrusted yet: the way back is still open at this gate.
      const last = await until(({ state, phase }) => state === 'gated' && phase === 'Untrusting');
      expect(last.possible).toContain('rollBack');
      await decide(handle, 'approve');
      const final = await until(({ state }) => state === 'gated' && world.done.at(-1) === 'settleControllerManager/n1');
      expect(final.possible).toEqual(['pause', 'approve', 'abort']);
      expect(await decide(handle, 'abort')).toBe('Past the point of no return: finishes forward.');
      expect(await handle.result()).toMatchObject({ outcome: 'completed' });
    });
  });

  it('is asked again neither after a hold nor for another step, and a pause at it lasts', async () => {
    const world = harness.world({ nodes: NODES });
    world.inject('sign/n1', { fault: 'fails', code: 'MANIFEST_REFUSED' });
    await harness.rotate(world, { gates: ['signing'] }, async ({ handle, until }) => {
      await until(({ state }) => state === 'gated');
      await decide(handle, 'pause');
      await decide(handle, 'approve');
      await until(({ state }) => state === 'paused');
      await decide(handle, 'resume');
      await until(({ state }) => state === 'held');
      await decide(handle, 'retry');
      const audit = await handle.result();
      expect(audit.decisions.map(({ decision }) => decision)).toEqual(['pause', 'approve', 'resume', 'retry']);
    });
  });
});

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

  it.each([undefined, null, {}, { policy: 'fixed' }, { policy: 'fixed', durationMs: 1e300 }, '24h'])(
    'is refused with a sentence for %j, and the run lives on',
    async (drain) => {
      const world = harness.world({ nodes: NODES });
      await harness.rotate(world, {}, async ({ handle, until }) => {
        await until(({ phase, state }) => phase === 'Draining' && state === 'waiting');
        await expect(decide(handle, 'changeDrain', { drain })).rejects.toMatchObject(
          refusal(/^changeDrain is refused: a drain is \{"policy"/),
        );
        expect(await handle.result()).toMatchObject({ outcome: 'completed', decisions: [] });
      });
    },
  );
});

it('50 decisions stay under 500 events', async () => {
  const world = harness.world();
  await harness.rotate(world, {}, async ({ handle, until }) => {
    await until(({ phase, state }) => phase === 'Draining' && state === 'waiting');
    for (let count = 0; count < 25; count += 1) {
      await decide(handle, 'pause');
      await decide(handle, 'resume');
    }
    expect((await handle.result()).decisions).toHaveLength(50);
    expect((await handle.fetchHistory()).events?.length).toBeLessThan(500);
  });
});
