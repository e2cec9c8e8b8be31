// The plan with another drain, as an operator changes it under way.
import { drainSummary, type DrainComputation } from './drain.ts';
import type { Plan, Step } from './plan.ts';

export function withDrain(plan: Plan, drain: DrainComputation): Plan {
  const isDrain = ({ action }: Step) => action.type === 'wait' && action.wait === 'drain';
  const former = plan.migration === undefined ? 'key' : 'issuer';
  return {
    ...plan,
    waits: { ...plan.waits, drain },
    steps: plan.steps.map((step) => (isDrain(step) ? { ...step, summary: drainSummary(drain, former) } : step)),
  };
}
