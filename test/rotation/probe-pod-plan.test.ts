// Where the steps of a probe pod stand, and what takes them back.
import { describe, expect, it } from 'vitest';
import { rollBackSteps } from '../../src/rotation/roll-back.ts';
import { drainOf, planOf } from './observed-cluster.ts';

const planWith = (awaitRefresh: boolean) =>
  planOf(['n1'], drainOf({ policy: 'refreshing' }), 3_600_000, { tokenLifetimeMs: 600_000, awaitRefresh });
const idsOf = (awaitRefresh: boolean) => planWith(awaitRefresh).steps.map(({ phase, id }) => `${phase}: ${id}`);

describe('the plan with a probe pod', () => {
  it('starts it before anyone trusts the new key, and asks it again when kubelet has had its time', () => {
    expect(idsOf(true)).toEqual([
      'Staging: stage-key',
      'Staging: back-up/n1',
      'Staging: start-probe-pod',
      'Publishing: publish-key',
      'Publishing: wait-for-relying-parties',
      'Trusting: trust/n1',
      'Signing: sign/n1',
      'Signing: switch-controller-manager/n1',
      'Verifying: verify',
      'Verifying: verify-with-pod',
      'Refreshing: refresh',
      'Refreshing: wait-for-kubelet',
      'Refreshing: prove-pod-refresh',
      'Draining: drain',
      'Draining: settle-legacy-tokens',
      'Pruning: prune-key',
      'Untrusting: untrust/n1',
      'Untrusting: settle-controller-manager/n1',
      'Retiring: retire',
    ]);
  });

  it('has a pod for Verifying alone where no refresh is awaited', () => {
    const extra = idsOf(false).filter((id) => !planOf(['n1']).steps.some((step) => id.endsWith(`: ${step.id}`)));
    expect(extra).toEqual(['Verifying: verify-with-pod']);
    expect(planWith(false).waits).not.toHaveProperty('kubelet');
  });

  it('declares the wait with its arithmetic: 80 % of 10 min, 10 s and 90 s', () => {
    expect(planWith(true).waits.kubelet?.ms).toBe(580_000);
    const summary = planWith(true).steps.find(({ id }) => id === 'wait-for-kubelet')?.summary;
    expect(summary).toBe('Wait up to 9m 40s until kubelet has replaced the token of the pod from before');
  });

  it('removes the pod when it is rolled back, from whichever step on it may be there', () => {
    const plan = planWith(true);
    const from = (last: number) => new Set(plan.steps.slice(0, last + 1).map(({ id }) => id));
    const started = plan.steps.findIndex(({ id }) => id === 'start-probe-pod');
    plan.steps.forEach((_, last) => {
      const removes = rollBackSteps(plan, from(last)).some(({ action }) => action.type === 'removeProbePod');
      expect(removes).toBe(last >= started);
    });
  });

  it('proves with the pod only while every API server signs with the new key', () => {
    for (const id of ['verify-with-pod', 'prove-pod-refresh']) {
      const step = planWith(true).steps.find((each) => each.id === id);
      expect(step?.guards).toEqual(expect.arrayContaining(['everyoneSignsWithNext', 'nextIsPublic']));
    }
  });
});
