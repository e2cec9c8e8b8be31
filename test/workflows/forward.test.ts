// Runs that go forward: what is done, waited for, recorded, and how long the history gets.
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drainOf, planOf } from '../rotation/observed-cluster.ts';
import { SimulatedCluster } from '../rotation/simulated-cluster.ts';
import { historyBytes } from '../replay/stored-history.ts';
import { RotationHarness } from './rotation-harness.ts';

let harness: RotationHarness;
beforeAll(async () => {
  harness = await RotationHarness.create();
});
afterAll(() => harness.stop());

const DAY = 86_400_000;
const lengthMs = ({ from, until }: { readonly from: string; readonly until: string }) =>
  Date.parse(until) - Date.parse(from);

describe('a rotation', () => {
  it('goes through all eleven phases, waits the real 24 h, and leaves an audit record', async () => {
    const world = harness.world();
    const input = { cluster: 'prod', reason: 'quarterly', requestedBy: 'ann' };
    await harness.rotate(world, input, async ({ handle, status }) => {
      const audit = await handle.result();
      expect(audit).toMatchObject({
        version: 1,
        cluster: 'prod',
        outcome: 'completed',
        reason: 'quarterly',
        requestedBy: 'ann',
        startedBy: 'a test',
        workflowId: handle.workflowId,
        takenUp: false,
        decisions: [],
        holds: [],
        notes: ['a warning'],
        probes: { checks: 20, rejected: 0 },
      });
      expect(audit.keys.map(({ kid, role, version }) => [kid, role, version])).toEqual([
        ['former-kid', 'retired', 1],
        ['next-kid', 'active', 2],
      ]);
      expect(audit.phases.map(({ phase }) => phase)).toEqual([
        'Preflight',
        'Staging',
        'Publishing',
        'Trusting',
        'Signing',
        'Verifying',
        'Refreshing',
        'Draining',
        'Pruning',
        'Untrusting',
        'Retiring',
      ]);
      expect(audit.waits.map(({ explanation }) => explanation)).toEqual([
        'relying parties may hold the JWKS for 200ms (policies.relyingPartyCache)',
        expect.stringMatching(/ = 1d 7m$/),
      ]);
      const [, drain] = audit.waits;
      // From the proof of Verifying on; looking for legacy tokens takes its moment.
      expect(lengthMs(drain!)).toBeGreaterThan(86_860_000 - 2000);
      expect(lengthMs(drain!)).toBeLessThan(86_860_000 + 60_000);
      expect(audit.steps.find(({ id }) => id === 'trust/node-2')).toMatchObject({ restartMs: 1234, changed: true });
      expect(audit.steps).toHaveLength(26);

      expect(world.audits).toEqual([audit]);
      expect(world.cluster.remains()).toMatchObject({ jwks: ['foreign-kid', 'next-kid'], staged: null });
      expect(world.probing).toBe(0);
      expect(await status()).toMatchObject({
        state: 'ended',
        phase: 'Retiring',
        possible: [],
        gkectl: { status: 'True', reason: 'KSASigningKeyRotationCompleted', tokenVersion: 2, publicKeyVersions: [2] },
      });

      const history = await handle.fetchHistory();
      expect(history.events?.length).toBeLessThan(300);
      expect(historyBytes(history)).toBeLessThan(200_000);
    });
  });

  it('waits the real 365 d where every token is to expire, and the real hour of relying parties', async () => {
    const plan = { ...planOf(['node-1', 'node-2'], drainOf({ policy: 'expiry' })), probed: [] };
    const world = harness.world({ plan });
    await harness.rotate(world, {}, async ({ handle }) => {
      const [relyingParties, drain] = (await handle.result()).waits;
      expect(lengthMs(relyingParties!)).toBeGreaterThan(3_600_000 - 2000);
      expect(lengthMs(relyingParties!)).toBeLessThan(3_600_000 + 60_000);
      expect(lengthMs(drain!)).toBeGreaterThan(365 * DAY);
      expect(lengthMs(drain!)).toBeLessThan(365 * DAY + 400_000);
    });
  });

  it.each([
    ['nothing', undefined],
    ['null, as an empty box of the UI may send', null],
  ])('starts with %s as input', async (_, input) => {
    const world = harness.world({ nodes: ['node-1'] });
    await harness.rotate(world, input, async ({ handle }) => {
      expect(await handle.result()).toMatchObject({ outcome: 'completed', reason: '', requestedBy: '' });
      expect(world.inputs).toEqual([{}]);
    });
  });

  it('retries what time alone may mend, and holds nothing', async () => {
    const world = harness.world({ nodes: ['node-1', 'node-2'] });
    const away = { fault: 'fails', code: 'API_SERVER_UNREACHABLE', retryable: true } as const;
    for (const call of ['preflight', 'publishKey', 'trust/node-2', 'verify', 'conclude']) world.inject(call, away);
    await harness.rotate(world, {}, async ({ handle }) => {
      expect(await handle.result()).toMatchObject({ outcome: 'completed', holds: [] });
    });
  });

  it('ends at once where another run holds the cluster, not as a failure', async () => {
    const world = harness.world();
    const message = 'prod is held by rotate-prod since 2026-01-01';
    world.preflightAnswer = { outcome: 'locked', cluster: 'prod', message, startedBy: 'bob', searchable: false };
    await harness.rotate(world, { reason: 'twice' }, async ({ handle, status }) => {
      expect(await handle.result()).toMatchObject({
        outcome: 'not-started',
        cluster: 'prod',
        reason: 'twice',
        startedBy: 'bob',
        steps: [],
        notes: [message],
      });
      expect(world.done).toEqual([]);
      expect(await status()).toMatchObject({ state: 'ended', cluster: 'prod', possible: [] });
    });
  });

  it('fails with what Preflight refused, having changed nothing', async () => {
    const world = harness.world();
    world.inject('preflight', { fault: 'fails', code: 'PREFLIGHT_REFUSED', message: '1. This.\n2. That.' });
    await harness.rotate(world, {}, async ({ handle }) => {
      const error = await handle.result().catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(WorkflowFailedError);
      const { cause } = error as WorkflowFailedError;
      expect(cause).toBeInstanceOf(ApplicationFailure);
      expect(cause).toMatchObject({ type: 'PREFLIGHT_REFUSED', message: '1. This.\n2. That.', nonRetryable: true });
      expect(world.done).toEqual([]);
    });
  });
});

describe('a rotation that is taken up', () => {
  const plan = planOf(['node-1', 'node-2'], drainOf({ policy: 'refreshing' }), 200);
  /** A cluster in which a former run came so far. */
  async function cameTo(id: string): Promise<SimulatedCluster> {
    const cluster = new SimulatedCluster(plan, 0);
    // So long ago that all its waits are over now.
    cluster.nowMs = (await harness.env.currentTimeMs()) - 2 * DAY;
    const waits = {};
    for (const step of plan.steps) {
      cluster.act(step.action, waits);
      if (step.id === id) break;
    }
    return cluster;
  }

  it.each([
    ['publish-key', 'stageKey'],
    ['sign/node-1', 'stageKey'],
    ['verify', 'stageKey'],
    ['prune-key', 'pruneKey'],
    ['untrust/node-1', 'pruneKey'],
    ['retire', 'retire'],
  ])('after %s goes on with %s and comes to the same end', async (last, first) => {
    const world = harness.world({ plan, cluster: await cameTo(last) });
    await harness.rotate(world, {}, async ({ handle }) => {
      expect(await handle.result()).toMatchObject({ outcome: 'completed', takenUp: true, holds: [] });
      expect(world.done[0]).toBe(first);
      expect(world.cluster.remains()).toMatchObject({ jwks: ['foreign-kid', 'next-kid'], staged: null });
    });
  });

  it('drains from when it was first verified, not anew', async () => {
    const cluster = await cameTo('verify');
    const hourAgo = new Date((await harness.env.currentTimeMs()) - 3_600_000).toISOString();
    cluster.milestones = { ...cluster.milestones, verifiedAt: hourAgo };
    await harness.rotate(harness.world({ plan, cluster }), {}, async ({ handle }) => {
      const drain = (await handle.result()).waits.at(-1);
      expect(lengthMs(drain!)).toBeLessThan(86_860_000 - 3_600_000 + 60_000);
      expect(lengthMs(drain!)).toBeGreaterThan(86_860_000 - 3_600_000 - 60_000);
    });
  });

  it('cannot be rolled back where the former run had begun to untrust', async () => {
    const world = harness.world({ plan, cluster: await cameTo('untrust/node-1') });
    world.inject('pruneKey', { fault: 'fails', code: 'PUBLISHER_ACCESS_DENIED' });
    await harness.rotate(world, {}, async ({ handle, until }) => {
      const { possible } = await until(({ state }) => state === 'held');
      expect(possible).toEqual(['pause', 'retry', 'abort']);
      await handle.executeUpdate('retry', { args: [{ reason: 'access was given back' }] });
      expect(await handle.result()).toMatchObject({ outcome: 'completed' });
    });
  });
});
