// What operators are told, and that nobody's deaf ears keep a rotation from going on.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drainOf, planOf } from '../rotation/observed-cluster.ts';
import type { Fault } from './simulated-activities.ts';
import { RotationHarness } from './rotation-harness.ts';

let harness: RotationHarness;
beforeAll(async () => {
  harness = await RotationHarness.create();
});
afterAll(() => harness.stop());

const reason = { reason: 'looked at it' };
const away: Fault = { fault: 'fails', code: 'NOTIFICATION_UNDELIVERED', retryable: true };
const refuses: Fault = { fault: 'fails', code: 'NOTIFICATION_REFUSED' };

describe('operators are told', () => {
  it('that a gate asks, and how it ended', async () => {
    const world = harness.world({ nodes: ['node-1', 'node-2'] });
    await harness.rotate(world, { cluster: 'prod', gates: ['signing'] }, async ({ handle, until }) => {
      await until(({ state }) => state === 'gated' && world.notifications.length > 0);
      await handle.executeUpdate('approve', { args: [reason] });
      const { runId } = await handle.result();
      expect(world.notifications).toMatchObject([
        {
          id: `${runId}-1`,
          state: 'gated',
          cluster: 'prod',
          rotationId: 'abc',
          workflowId: handle.workflowId,
          runId,
          phase: 'Signing',
          reason: 'It asks at the gate "signing", before: Let the API server of node-1 sign with the new key.',
          possible: ['pause', 'approve', 'rollBack', 'changeDrain', 'abort'],
        },
        {
          id: `${runId}-2`,
          state: 'completed',
          phase: 'Retiring',
          reason: 'Tokens are signed with next-kid. Token probes: 20 checks, 0 rejected.',
          possible: [],
        },
      ]);
    });
  });

  it('that a step is held, and that it was rolled back', async () => {
    const world = harness.world({ nodes: ['node-1', 'node-2'] });
    world.inject('trust/node-2', { fault: 'fails', code: 'EFFECT_MISSING', message: 'not ready' });
    await harness.rotate(world, { cluster: 'prod' }, async ({ handle, until }) => {
      await until(({ state }) => state === 'held');
      await handle.executeUpdate('rollBack', { args: [{ reason: 'not today', by: 'ann' }] });
      await handle.result();
      expect(world.notifications.map(({ state, reason: said }) => [state, said])).toEqual([
        ['held', 'trust/node-2: not ready [EFFECT_MISSING]'],
        [
          'rolled-back',
          expect.stringMatching(/^Tokens are signed with former-kid as before\..* Decided by ann: not today$/),
        ],
      ]);
    });
  });

  it('that Preflight refused: who started it may be a schedule', async () => {
    const world = harness.world();
    world.inject('preflight', { fault: 'fails', code: 'PREFLIGHT_REFUSED', message: '1. This.\n2. That.' });
    await harness.rotate(world, { cluster: 'prod' }, async ({ handle }) => {
      await expect(handle.result()).rejects.toThrow('Workflow execution failed');
      expect(world.notifications).toMatchObject([
        { state: 'refused', cluster: 'prod', phase: 'Preflight', reason: '1. This.\n2. That.', possible: [] },
      ]);
    });
  });

  it('nothing where another run holds the cluster, and nothing of a pause: who asked for it knows', async () => {
    const locked = harness.world();
    locked.preflightAnswer = {
      outcome: 'locked',
      cluster: 'prod',
      message: 'held',
      startedBy: 'bob',
      searchable: false,
    };
    await harness.rotate(locked, {}, ({ handle }) => handle.result());
    expect(locked.notifications).toEqual([]);

    const paused = harness.world({ nodes: ['node-1'] });
    await harness.rotate(paused, { gates: ['signing'] }, async ({ handle, until }) => {
      await until(({ state }) => state === 'gated');
      await handle.executeUpdate('pause', { args: [reason] });
      await handle.executeUpdate('approve', { args: [reason] });
      await until(({ state }) => state === 'paused');
      await handle.executeUpdate('resume', { args: [reason] });
      await handle.result();
    });
    expect(paused.notifications.map(({ state }) => state)).toEqual(['gated', 'completed']);
  });
});

describe('a receiver that is away', () => {
  it('keeps no gate closed and no step from being done; it gets the message when it is back', async () => {
    const world = harness.world({ nodes: ['node-1', 'node-2'] });
    world.inject('notify', away, away, away);
    await harness.rotate(world, { gates: ['signing'] }, async ({ handle, until }) => {
      await until(({ state }) => state === 'gated');
      expect(world.notifications).toEqual([]);
      await handle.executeUpdate('approve', { args: [reason] });
      expect(await handle.result()).toMatchObject({ outcome: 'completed', holds: [] });
      expect(world.notifications.map(({ state }) => state).toSorted()).toEqual(['completed', 'gated']);
    });
  });

  it('at the end does not keep the run open: a workflow of its own goes on telling it for a day', async () => {
    const world = harness.world({ nodes: ['node-1'] });
    world.inject('notify', ...Array.from({ length: 40 }, () => away));
    await harness.rotate(world, {}, async ({ handle }) => {
      const audit = await handle.result();
      expect(audit.outcome).toBe('completed');
      const { closeTime } = await handle.describe();
      expect(closeTime!.getTime() - Date.parse(audit.endedAt)).toBeLessThan(20_000);
      expect(world.notifications).toEqual([]);
      await harness.env.client.workflow.getHandle(`keyturn-notify/${audit.runId}-1`).result();
      expect(world.notifications).toMatchObject([{ id: `${audit.runId}-1`, state: 'completed' }]);
    });
  });

  it.each([
    ['stays away', () => Array.from({ length: 1000 }, () => away)],
    ['refuses', () => [refuses, refuses]],
  ])('that %s changes nothing for the rotation', async (_, faults) => {
    const drain = drainOf({
      policy: 'fixed',
      durationMs: 1000,
      allowShorter: 'each attempt of a day takes its moment',
    });
    const world = harness.world({ plan: planOf(['node-1', 'node-2'], drain, 200) });
    world.inject('notify', ...faults());
    await harness.rotate(world, { gates: ['signing'] }, async ({ handle, until }) => {
      await until(({ state }) => state === 'gated');
      await handle.executeUpdate('approve', { args: [reason] });
      const { outcome, holds, runId } = await handle.result();
      expect({ outcome, holds }).toEqual({ outcome: 'completed', holds: [] });
      expect(world.notifications).toEqual([]);
      const successor = harness.env.client.workflow.getHandle(`keyturn-notify/${runId}-2`);
      await successor.terminate('the test is over').catch(() => undefined);
    });
  });
});
