// The eleven phases of a rotation, in the only order in which they may happen.

export const PHASES = [
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
] as const;

export type Phase = (typeof PHASES)[number];

/** Negative where `a` comes before `b`. */
export function comparePhases(a: Phase, b: Phase): number {
  return PHASES.indexOf(a) - PHASES.indexOf(b);
}
