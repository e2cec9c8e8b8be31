// Design invariants 1 and 2, after every step of every way through the plan that a rotation can take; and that this would be noticed.
import { describe, expect, it } from 'vitest';
import type { Plan, Step } from '../../src/rotation/plan.ts';
import type { ProbePodPlan } from '../../src/rotation/probe-pod-plan.ts';
import { rollBackSteps } from '../../src/rotation/roll-back.ts';
import { stepsDoneBefore, stepsPerhapsStarted } from '../../src/rotation/take-up.ts';
import { drainOf, planOf } from './observed-cluster.ts';
import { Harm, SimulatedCluster, Stopped } from './simulated-cluster.ts';

type Walked = Pick<Step, 'id' | 'action' | 'guards'>;

/** One run: does steps one after the other, each under its guards. */
function walk(cluster: SimulatedCluster, steps: readonly Walked[], waits = cluster.waitsOfRun()): typeof waits {
  for (const { action, guards } of steps) {
    cluster.demand(guards, action, waits);
    cluster.act(action, waits);
  }
  return waits;
}

const finalIndex = (plan: Plan) => plan.steps.findIndex(({ phase }) => phase === plan.pointOfNoReturn);
const ids = (steps: readonly { readonly id: string }[]) => new Set(steps.map(({ id }) => id));

/** As a new run takes it up from what it observes and what was recorded. */
function takeUp(cluster: SimulatedCluster, plan: Plan): void {
  const done = stepsDoneBefore(plan, cluster.milestones);
  walk(
    cluster,
    plan.steps.filter(({ id }) => !done.includes(id)),
  );
}

/** Runs along `way` that died after each step of it, and in the middle of each. */
function interrupted(
  makeCluster: () => SimulatedCluster,
  way: readonly Walked[],
  then: (cluster: SimulatedCluster, started: readonly Walked[], waits: ReturnType<typeof walk>) => void,
) {
  for (let count = 0; count <= way.length; count += 1) {
    const whole = makeCluster();
    then(whole, way.slice(0, count), walk(whole, way.slice(0, count)));
    const last = way[count];
    if (last === undefined) continue;
    const half = makeCluster();
    const waits = walk(half, way.slice(0, count));
    half.demand(last.guards, last.action, waits);
    half.actHalf(last.action, waits);
    then(half, way.slice(0, count + 1), waits);
  }
}

function endOf(plan: Plan) {
  const cluster = new SimulatedCluster(plan);
  walk(cluster, plan.steps);
  return cluster.remains();
}

const PROBE_POD: ProbePodPlan = { tokenLifetimeMs: 3_600_000, awaitRefresh: true };

describe.each([
  ...[1, 2, 3, 5].map((count) => ({ count, also: '', probePod: null, publishing: undefined })),
  ...[1, 3].map((count) => ({ count, also: ' and a probe pod', probePod: PROBE_POD, publishing: undefined })),
  ...[1, 3].map((count) => ({
    count,
    also: ' that serve the issuer themselves',
    probePod: null,
    publishing: 'by-trusting' as const,
  })),
])('with $count API server(s)$also, nobody is harmed', ({ count, probePod, publishing }) => {
  const nodes = Array.from({ length: count }, (_, index) => `node-${index + 1}`);
  const plan = planOf(nodes, drainOf({ policy: 'refreshing' }), 3_600_000, probePod, publishing);
  const before = new SimulatedCluster(plan).remains();

  it('when all goes forward, and the new key alone is left', () => {
    expect(endOf(plan)).toMatchObject({ jwks: ['foreign-kid', 'next-kid'], staged: null, probePod: null });
    expect(endOf(plan).nodes.every(({ trusted, signer }) => trusted.join() === signer && signer === 'next-kid')).toBe(
      true,
    );
  });

  it('when every step is done twice', () => {
    const cluster = new SimulatedCluster(plan);
    walk(
      cluster,
      plan.steps.flatMap((step) => [step, step]),
    );
    expect(cluster.remains()).toEqual(endOf(plan));
  });

  const fresh = () => new SimulatedCluster(plan);
  const reversible = plan.steps.slice(0, finalIndex(plan));
  const wayBack = rollBackSteps(plan, ids(reversible));
  /** A cluster that has come as far as one can turn back from. */
  const pruned = () => {
    const cluster = fresh();
    walk(cluster, reversible);
    return cluster;
  };
  const rollBackTakenUp = (cluster: SimulatedCluster) => {
    walk(cluster, rollBackSteps(plan, new Set(stepsPerhapsStarted(plan, cluster.milestones))));
    expect(cluster.remains()).toEqual(before);
  };
  const goForwardTakenUp = (cluster: SimulatedCluster) => {
    takeUp(cluster, plan);
    expect(cluster.remains()).toEqual(endOf(plan));
  };

  it('when it turns back after any step, or in its middle, and all is as it was', () => {
    interrupted(fresh, reversible, (cluster, started, waits) => {
      walk(cluster, rollBackSteps(plan, ids(started)), waits);
      expect(cluster.remains()).toEqual(before);
    });
  });

  it('when it turns back from a step that was started and did nothing', () => {
    interrupted(fresh, reversible.slice(0, -1), (cluster, started, waits) => {
      walk(cluster, rollBackSteps(plan, ids(reversible.slice(0, started.length + 1))), waits);
      expect(cluster.remains()).toEqual(before);
    });
  });

  it('when the run dies anywhere and another one takes it up', () => {
    interrupted(fresh, plan.steps, goForwardTakenUp);
  });

  it('when the run dies anywhere and the next one is rolled back before it has done anything', () => {
    interrupted(fresh, reversible, rollBackTakenUp);
  });

  it('when the run that takes it up dies anywhere, too', () => {
    interrupted(fresh, reversible, (former) => {
      const done = stepsDoneBefore(plan, former.milestones);
      const left = plan.steps.filter(({ id }) => !done.includes(id));
      interrupted(() => former.copy(), left, goForwardTakenUp);
    });
  });

  it('when a roll back dies anywhere and another run goes forward', () => {
    interrupted(pruned, wayBack, goForwardTakenUp);
  });

  it('when a roll back dies anywhere and the next run is rolled back in its place', () => {
    interrupted(pruned, wayBack, rollBackTakenUp);
  });
});

/** What a broken plan does: by its guards, and without them. */
function outcomeOf(plan: Plan, steps: readonly Walked[], prepared: readonly Walked[] = []) {
  const attempt = (each: readonly Walked[]) => {
    const cluster = new SimulatedCluster(plan);
    const waits = walk(cluster, prepared);
    try {
      walk(cluster, each, waits);
      return 'nothing noticed';
    } catch (error) {
      if (error instanceof Stopped || error instanceof Harm) return error.message;
      throw error;
    }
  };
  return {
    guarded: attempt(steps),
    unguarded: attempt(steps.map((step) => ({ ...step, guards: [] }))),
  };
}

describe('where the API servers serve the issuer themselves it is noticed when', () => {
  const plan = planOf(undefined, undefined, undefined, null, 'by-trusting');
  const { steps } = plan;
  const without = (...types: readonly string[]) =>
    steps.filter(({ action }) => !types.includes(action.type === 'wait' ? action.wait : action.type));

  it('the wait for caches is left out', () => {
    const outcome = outcomeOf(plan, without('relyingParties'));
    expect(outcome.guarded).toContain('relying parties may still hold a JWKS without the key');
    expect(outcome.unguarded).toContain('invariant 1: a relying party rejects a token of next-kid');
  });

  it('nobody looks whether all of them serve the new key', () => {
    expect(outcomeOf(plan, without('publishKey')).guarded).toContain('the wait has not begun');
  });

  it('one API server is left out of Trusting', () => {
    const broken = steps.filter(({ id }) => id !== 'trust/node-3');
    expect(outcomeOf(plan, broken).guarded).toContain('the new key is not trusted by node-3');
    expect(outcomeOf(plan, broken).unguarded).toContain('invariant 1');
  });

  it('the wait counts from the first API server that trusts, and not from the last', () => {
    const publish = steps.filter(({ id }) => id === 'publish-key');
    const rest = steps.filter(({ id }) => id !== 'publish-key');
    const at = rest.findIndex(({ id }) => id === 'trust/node-2');
    const early = [...rest.slice(0, at), ...publish, ...rest.slice(at)];
    expect(outcomeOf(plan, early).guarded).toContain('the new key is not trusted by node-2, node-3');
  });

  it('the former key is forgotten before the drain', () => {
    expect(outcomeOf(plan, without('drain')).unguarded).toContain('rejects a token of former-kid');
  });
});

describe('it is noticed, by a guard and by the simulation, when', () => {
  const plan = planOf(undefined, undefined, undefined, PROBE_POD);
  const { steps } = plan;
  const of = (type: string) => steps.filter(({ action }) => action.type === type);
  const without = (...left: readonly Step[]) => steps.filter((step) => !left.includes(step));
  const wait = (type: string) => steps.filter(({ action }) => action.type === 'wait' && action.wait === type);
  const before = (step: Step | undefined, moved: readonly Step[]) => {
    const rest = without(...moved);
    const at = rest.findIndex((each) => each === step);
    return [...rest.slice(0, at), ...moved, ...rest.slice(at)];
  };

  it.each<[string, readonly Step[], string, string]>([
    ['Signing comes before Trusting', before(of('trust')[0], of('sign')), 'everyoneTrustsNext', 'invariant 1'],
    [
      'trust and signer are switched node by node, as the hand-written procedure does',
      before(of('trust')[1], [of('sign')[0]!]),
      'everyoneTrustsNext',
      'invariant 1',
    ],
    [
      'one API server is left out of Trusting',
      without(of('trust')[2]!),
      'the new key is not trusted by node-3',
      'invariant 1: node-3 rejects',
    ],
    [
      'controller managers sign before all trust',
      before(of('trust')[2], of('switchControllerManager')),
      'everyoneTrustsNext',
      'invariant 2',
    ],
    [
      'the wait for caches is left out',
      without(...wait('relyingParties')),
      'cachesExpired',
      'invariant 1: a relying party rejects a token of next-kid',
    ],
    ['nothing is published', without(...of('publishKey')), 'nextIsPublic', 'invariant 1: a relying party'],
    [
      'Publishing comes after Trusting',
      before(of('sign')[0], [...of('publishKey'), ...wait('relyingParties')]),
      'nextIsPublic',
      // Harmless where no token is signed before the wait is over: the guard keeps what cannot be seen to be right from starting.
      'nothing noticed',
    ],
    [
      'the drain is left out',
      without(...wait('drain')),
      'drained',
      'invariant 1: a relying party rejects a token of former-kid',
    ],
    ['Pruning comes before the drain', before(wait('drain')[0], of('pruneKey')), 'drained', 'invariant 1'],
    ['Untrusting comes before the drain', before(wait('drain')[0], of('untrust')), 'drained', 'invariant 1: node-1'],
    ['one signer is never switched', without(of('sign')[1]!), 'everyoneSignsWithNext', 'invariant 1'],
    [
      'kubelet is not given its time',
      without(...wait('kubelet')),
      'kubelet has not refreshed: former-kid',
      'kubelet has not refreshed: former-kid',
    ],
    [
      'the probe pod is started when the new key signs already',
      before(of('verifyWithPod')[0], of('startProbePod')),
      'the pod was started too late',
      'the pod was started too late',
    ],
    ['Verifying is left out', without(...of('verify')), 'the wait has not begun', 'invariant 1'],
  ])('%s', (_, broken, guard, harm) => {
    const outcome = outcomeOf(plan, broken);
    expect(outcome.guarded).toContain(guard);
    expect(outcome.unguarded).toContain(harm);
  });

  describe('on the way back', () => {
    const prepared = steps.slice(0, finalIndex(plan));
    const way = rollBackSteps(plan, ids(prepared));
    it.each<[string, readonly Walked[], string, string]>([
      [
        'the new key is forgotten without a drain',
        way.filter(({ id }) => id !== 'undo/drain'),
        'nextDrained',
        'invariant 1: node-3 rejects a token of next-kid',
      ],
      [
        'the former key signs again before relying parties have it',
        way.filter(({ id }) => id !== 'undo/wait-for-relying-parties'),
        'cachesExpired',
        'invariant 1: a relying party rejects a token of former-kid',
      ],
      [
        'the former key is not published again',
        way.filter(({ id }) => id !== 'undo/prune-key'),
        'formerIsPublic',
        'invariant 2',
      ],
      ['the first step is taken back first', way.toReversed(), 'nobodyTrustsNext', 'invariant'],
      [
        'the new key leaves the JWKS before it is distrusted',
        [...way.filter(({ id }) => id === 'undo/publish-key'), ...way],
        'nobodyTrustsNext',
        'invariant',
      ],
    ])('%s', (_, broken, guard, harm) => {
      const outcome = outcomeOf(plan, broken, prepared);
      expect(outcome.guarded).toContain(guard);
      expect(outcome.unguarded).toContain(harm);
    });
  });
});
