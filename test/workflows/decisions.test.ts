// What operators decide while a rotation runs, and what they are told.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decide, refusal } from './deciding.ts';
import { RotationHarness } from './rotation-harness.ts';

let harness: RotationHarness;
beforeAll(async () => {
  harness = await RotationHarness.create();
});
afterAll(() => harness.stop());

const NODES = ['n1', 'n2'];
const UPDATES = ['pause', 'resume', 'approve', 'retry', 'rollBack', 'changeDrain', 'abort'] as const;
describe('a decision', () => {
  it('is refused without a reason, and nothing enters the history', async () => {
    const world = harness.world({ nodes: NODES });
    await harness.rotate(world, { gates: ['signing'] }, async ({ handle, until }) => {
      await until(({ state }) => state === 'gated');
      for (const update of UPDATES) {
        for (const args of [[], [null], [{}], [{ reason: ' ' }]]) {
          await expect(
            handle.executeUpdate<string, [object | null]>(update, { args: args as unknown as [null] }),
          ).rejects.toMatchObject(
            refusal(`${update} needs a reason: it stands in the audit record. Send {"reason": "..."}.`),
          );
        }
      }
      const { events } = await handle.fetchHistory();
      expect(events?.some((event) => event.workflowExecutionUpdateAcceptedEventAttributes != null)).toBe(false);
      // A terminated run would leave its probes behind, and time is not skipped while they run.
      await decide(handle, 'rollBack');
      await handle.result();
    });
  });

  it('is refused with a sentence while Preflight runs, whichever it is', async () => {
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
      for (const update of UPDATES) {
        await expect(decide(handle, update)).rejects.toMatchObject(
          refusal(
            `${update} is not possible: Preflight is under way and has changed nothing; to give up, cancel the workflow. Nothing can be decided now.`,
          ),
        );
      }
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
      await harness.skip(until, ({ state, phase }) => state === 'paused' && phase === 'Draining');
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

it('50 decisions stay under 550 events', async () => {
  const world = harness.world();
  await harness.rotate(world, {}, async ({ handle, until }) => {
    await until(({ phase, state }) => phase === 'Draining' && state === 'waiting');
    for (let count = 0; count < 25; count += 1) {
      await decide(handle, 'pause');
      await decide(handle, 'resume');
    }
    expect((await handle.result()).decisions).toHaveLength(50);
    expect((await handle.fetchHistory()).events?.length).toBeLessThan(550);
  });
});
