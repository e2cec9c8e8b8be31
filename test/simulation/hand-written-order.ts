// The order of the hand-written procedure: trust and signer in one edit a node, no wait for caches, and 24 h until the former key is forgotten.
import { computeDrain } from '../../src/rotation/drain.ts';
import type { Plan, Step } from '../../src/rotation/plan.ts';

const DAY = computeDrain(
  { policy: 'fixed', durationMs: 24 * 3_600_000, allowShorter: 'as the procedure says' },
  { maxTokenExpirationMs: null, extendTokenExpiration: true },
);

/** What is mended of the procedure. */
export interface Mended {
  /** Every API server trusts the new key before the first one signs with it. */
  readonly trustsFirst?: boolean;
  /** Relying parties are given the time to read the JWKS again. */
  readonly waitsForCaches?: boolean;
}

/** The product's own steps, in the procedure's order and without a guard: a person looks at nothing. */
export function handWritten(plan: Plan, { trustsFirst = false, waitsForCaches = false }: Mended = {}): Plan {
  if ('refused' in DAY) throw new Error(DAY.refused);
  const of = (...types: readonly string[]): readonly Step[] =>
    plan.steps.filter(({ action }) => types.includes(action.type));
  const ofNode = (node: string, type: string) =>
    of(type).filter(({ action }) => 'node' in action && action.node === node);
  const waits = (wait: string) => of('wait').filter(({ action }) => action.type === 'wait' && action.wait === wait);
  const eachNode = (...types: readonly string[]) =>
    plan.nodes.flatMap((node) => types.flatMap((type) => ofNode(node, type)));
  const steps = [
    ...of('stageKey', 'backUp', 'publishKey'),
    ...(waitsForCaches ? waits('relyingParties') : []),
    ...(trustsFirst
      ? [...eachNode('trust'), ...eachNode('sign', 'switchControllerManager')]
      : eachNode('trust', 'sign', 'switchControllerManager')),
    ...of('verify'),
    ...waits('drain'),
    ...of('pruneKey'),
    ...eachNode('untrust', 'settleControllerManager'),
    ...of('retire'),
  ];
  return { ...plan, waits: { ...plan.waits, drain: DAY }, steps: steps.map((step) => ({ ...step, guards: [] })) };
}
