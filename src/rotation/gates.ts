// Where a rotation asks before it goes on.
import type { Plan, Step } from './plan.ts';

/** `signing`: before the first token is signed with the new key; `pruning`: before the former key leaves the JWKS; `each-node`: before each node. */
export type GateName = 'signing' | 'pruning' | 'each-node';

/** The gate that stands before a step, if one does. */
export function gateBefore(plan: Plan, step: Step, gates: readonly GateName[]): GateName | null {
  const firstOfPhase = plan.steps.find(({ phase }) => phase === step.phase)?.id === step.id;
  // A platform that was told to begin signs without asking.
  const firstSigner = plan.steps.find(({ phase, action }) => action.type === 'beginRotation' || phase === 'Signing');
  if (gates.includes('signing') && step.id === firstSigner?.id) return 'signing';
  if (gates.includes('pruning') && step.phase === 'Pruning' && firstOfPhase) return 'pruning';
  const changesApiServer = ['trust', 'sign', 'untrust'].includes(step.action.type);
  return gates.includes('each-node') && changesApiServer ? 'each-node' : null;
}
