import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withDrain } from '../../src/rotation/change-drain.ts';
import { makePlan } from '../../src/rotation/make-plan.ts';
import type { Plan, Step } from '../../src/rotation/plan.ts';
import { drainOf, planOf } from './observed-cluster.ts';

const anyNodes = fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/), { minLength: 1, maxLength: 7 });
const indexesOf = (plan: Plan, type: string) =>
  plan.steps.flatMap(({ action }, index) => (action.type === type ? [index] : []));
const waitIndex = (plan: Plan, wait: string) =>
  plan.steps.findIndex(({ action }) => action.type === 'wait' && action.wait === wait);

describe('the plan', () => {
  it('of two nodes reads so', () => {
    expect(planOf(['n1', 'n2']).steps.map(({ phase, id }) => `${phase}: ${id}`)).toEqual([
      'Staging: stage-key',
      'Staging: back-up/n1',
      'Staging: back-up/n2',
      'Publishing: publish-key',
      'Publishing: wait-for-relying-parties',
      'Trusting: trust/n1',
      'Trusting: trust/n2',
      'Signing: sign/n1',
      'Signing: switch-controller-manager/n1',
      'Signing: sign/n2',
      'Signing: switch-controller-manager/n2',
      'Verifying: verify',
      'Refreshing: refresh',
      'Draining: drain',
      'Draining: settle-legacy-tokens',
      'Pruning: prune-key',
      'Untrusting: untrust/n1',
      'Untrusting: settle-controller-manager/n1',
      'Untrusting: untrust/n2',
      'Untrusting: settle-controller-manager/n2',
      'Retiring: retire',
    ]);
  });

  it.each<[string, string]>([
    ['publish-key', 'nextStaged'],
    ['trust/node-2', 'nextIsPublic, othersReady, noUnknownApiServer'],
    ['sign/node-2', 'everyoneTrustsNext, nextIsPublic, cachesExpired, othersReady, noUnknownApiServer'],
    ['switch-controller-manager/node-2', 'everyoneTrustsNext, noUnknownApiServer'],
    ['settle-controller-manager/node-2', 'noUnknownApiServer'],
    ['verify', 'everyoneSignsWithNext, nextIsPublic, noUnknownApiServer'],
    ['refresh', 'everyoneSignsWithNext'],
    ['settle-legacy-tokens', 'drained, everyoneSignsWithNext'],
    ['prune-key', 'drained, everyoneSignsWithNext, nextIsPublic, noLegacyTokensOfFormer, noUnknownApiServer'],
    [
      'untrust/node-2',
      'drained, everyoneSignsWithNext, formerIsNotPublic, noLegacyTokensOfFormer, othersReady, noUnknownApiServer',
    ],
    ['retire', 'nobodyTrustsFormer, everyoneSignsWithNext, noUnknownApiServer'],
  ])('guards %s by %s', (id, guards) => {
    expect(
      planOf()
        .steps.find((step) => step.id === id)
        ?.guards.join(', '),
    ).toBe(guards);
  });

  it.each<[string, string, string]>([
    ['stage-key', 'discardKey', 'nobodyTrustsNext'],
    ['back-up/node-2', 'removeBackUp', ''],
    ['publish-key', 'withdrawKey', 'nobodyTrustsNext'],
    [
      'trust/node-2',
      'distrust',
      'nobodySignsWithNext, nextDrained, noLegacyTokensOfNext, othersReady, noUnknownApiServer',
    ],
    ['sign/node-2', 'signWithFormer', 'everyoneTrustsFormer, formerIsPublic, cachesExpired, othersReady'],
    ['switch-controller-manager/node-2', 'restoreControllerManager', 'everyoneTrustsFormer'],
    ['refresh', 'restoreLegacyTokens', 'nobodySignsWithNext'],
    ['prune-key', 'republishFormer', ''],
  ])('takes %s back by %s, guarded by "%s"', (id, action, guards) => {
    const undo = planOf().steps.find((step) => step.id === id)?.undo;
    expect(undo?.action.type).toBe(action);
    expect(undo?.guards.join(', ')).toBe(guards);
  });

  it('restarts workloads after the look for legacy tokens, one after the other, and not on the way back', () => {
    const restarts = [
      { namespace: 'default', kind: 'Deployment', name: 'web' },
      { namespace: 'default', kind: 'StatefulSet', name: 'web' },
    ] as const;
    const { waits } = planOf();
    const { steps } = makePlan({
      capabilities: { ordering: 'staged', rollBack: true },
      nodes: ['n1'],
      relyingPartyCacheMs: 0,
      drain: waits.drain,
      probePod: null,
      restarts,
    });
    const refreshing = steps.filter(({ phase }) => phase === 'Refreshing');
    expect(refreshing.map(({ id, undo }) => ({ id, undone: undo?.action.type ?? null }))).toEqual([
      { id: 'refresh', undone: 'restoreLegacyTokens' },
      { id: 'restart/default/deployment/web', undone: null },
      { id: 'restart/default/statefulset/web', undone: null },
    ]);
    expect(refreshing[1]?.action).toEqual({ type: 'restartWorkload', workload: restarts[0] });
  });

  it('is JSON: what stands in the history is what runs', () => {
    const plan = planOf();
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
  });

  it('follows a changed drain in its words and in nothing else', () => {
    const before = planOf();
    const after = withDrain(before, drainOf({ policy: 'fixed', durationMs: 172_800_000 }));
    expect(after.waits.drain.totalMs).toBe(172_800_000);
    const wordless = ({ id, phase, action, guards, undo }: Step) => ({ id, phase, action, guards, undo });
    expect(after.steps.map(wordless)).toEqual(before.steps.map(wordless));
    const changed = after.steps.filter((step, index) => step.summary !== before.steps[index]?.summary);
    expect(changed.map(({ summary }) => summary)).toEqual(['Wait 2d until no token of the former key can matter']);
  });
});

describe('for any nodes, the plan', () => {
  const law = (title: string, check: (plan: Plan) => void) =>
    it(title, () => fc.assert(fc.property(anyNodes, (nodes) => check(planOf(nodes)))));

  law(
    'publishes and waits, then trusts everywhere, then signs, verifies, drains, prunes, untrusts, retires',
    (plan) => {
      const order = [
        indexesOf(plan, 'stageKey'),
        indexesOf(plan, 'backUp'),
        indexesOf(plan, 'publishKey'),
        [waitIndex(plan, 'relyingParties')],
        indexesOf(plan, 'trust'),
        [...indexesOf(plan, 'sign'), ...indexesOf(plan, 'switchControllerManager')],
        indexesOf(plan, 'verify'),
        indexesOf(plan, 'refresh'),
        [waitIndex(plan, 'drain')],
        indexesOf(plan, 'settleLegacyTokens'),
        indexesOf(plan, 'pruneKey'),
        [...indexesOf(plan, 'untrust'), ...indexesOf(plan, 'settleControllerManager')],
        indexesOf(plan, 'retire'),
      ];
      order.forEach((group, position) => {
        expect(group.length).toBeGreaterThan(0);
        const former = order[position - 1] ?? [-1];
        expect(Math.max(...former)).toBeLessThan(Math.min(...group));
      });
    },
  );

  law('treats every node once in each way, in the given order', (plan) => {
    for (const type of ['backUp', 'trust', 'sign', 'switchControllerManager', 'untrust', 'settleControllerManager']) {
      const nodes = plan.steps.flatMap(({ action }) => (action.type === type && 'node' in action ? [action.node] : []));
      expect(nodes).toEqual(plan.nodes);
    }
  });

  law('restarts no API server unless the others are ready', (plan) => {
    const restarts = plan.steps.flatMap((step) => [step, ...(step.undo === null ? [] : [step.undo])]);
    for (const { action, guards } of restarts) {
      if (['trust', 'sign', 'untrust', 'distrust', 'signWithFormer'].includes(action.type)) {
        expect(guards).toContain('othersReady');
      }
    }
  });

  law('can take back every change before the point of no return, and none after', (plan) => {
    const final = plan.steps.findIndex(({ phase }) => phase === 'Untrusting');
    plan.steps.forEach(({ action, undo }, index) => {
      const changes = !['wait', 'verify', 'settleLegacyTokens'].includes(action.type);
      expect(undo !== null).toBe(changes && index < final);
    });
  });

  law('names every step once', (plan) => {
    expect(new Set(plan.steps.map(({ id }) => id)).size).toBe(plan.steps.length);
  });
});
