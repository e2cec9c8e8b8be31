// When a fault comes: a moment or two in each phase, at steps of the plan that the status query shows.
import type { RotationStatus } from '../../src/rotation/status.ts';

export interface Moment {
  /** The step in which the phase is met. */
  readonly step: string;
  /** The step before: a fault that must be there when `step` begins comes while this one runs. */
  readonly before: string;
  /** Whose node, API server or controller manager has the trouble. */
  readonly node: string;
  /** The fault of the moment before is mended only in `before`: nothing can be there already when the step begins. */
  readonly isTight?: true;
}

/** In the order in which they come. Preflight changes nothing, and whatever is in its way refuses the start. */
export const MOMENTS = {
  Staging: [{ step: 'back-up/node-2', before: 'stage-key', node: 'node-2' }],
  Publishing: [{ step: 'publish-key', before: 'back-up/node-3', node: 'node-2' }],
  Trusting: [
    { step: 'trust/node-2', before: 'trust/node-1', node: 'node-2' },
    { step: 'trust/node-3', before: 'trust/node-2', node: 'node-3', isTight: true },
  ],
  Signing: [
    { step: 'sign/node-2', before: 'switch-controller-manager/node-1', node: 'node-2' },
    { step: 'sign/node-3', before: 'switch-controller-manager/node-2', node: 'node-3' },
  ],
  Verifying: [{ step: 'verify', before: 'switch-controller-manager/node-3', node: 'node-2' }],
  Refreshing: [{ step: 'refresh', before: 'verify', node: 'node-2' }],
  Draining: [{ step: 'drain', before: 'refresh', node: 'node-2' }],
  Pruning: [{ step: 'prune-key', before: 'settle-legacy-tokens', node: 'node-2' }],
  Untrusting: [
    { step: 'untrust/node-2', before: 'settle-controller-manager/node-1', node: 'node-2' },
    { step: 'untrust/node-3', before: 'settle-controller-manager/node-2', node: 'node-3' },
  ],
  Retiring: [{ step: 'retire', before: 'settle-controller-manager/node-3', node: 'node-2' }],
} as const satisfies Readonly<Record<string, readonly [Moment, ...Moment[]]>>;

export type MomentName = keyof typeof MOMENTS;
export const MOMENT_NAMES = Object.keys(MOMENTS) as readonly MomentName[];

/** Running or done. A short step may be over when one looks: then the fault comes right after it. */
export function hasBegun({ steps }: RotationStatus, id: string): boolean {
  return steps.some((step) => step.id === id && step.state !== 'todo');
}

export function isDone({ steps }: RotationStatus, id: string): boolean {
  return steps.some((step) => step.id === id && step.state === 'done');
}
