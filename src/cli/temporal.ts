// What rotations are called at Temporal.
import type { WorkflowHandle } from '@temporalio/client';
import type { rotateSigningKey } from '../workflows/index.ts';

export const WORKFLOW_TYPE = 'rotateSigningKey';

export type RotationHandle = WorkflowHandle<typeof rotateSigningKey>;

/** One rotation of a cluster at a time has this ID; the Lease in the cluster holds whatever the ID is. */
export function workflowIdOf(cluster: string): string {
  return `rotate-signing-key/${cluster}`;
}
