// What rotations are called at Temporal.
import type { WorkflowHandle } from '@temporalio/client';
import type { rotateSigningKey } from '../workflows/index.ts';

/** What changes a cluster, a migration to another issuer too: all are watched and steered alike. */
export const WORKFLOW_TYPES = ['rotateSigningKey', 'migrateIssuer'] as const;
type WorkflowType = (typeof WORKFLOW_TYPES)[number];

export type RotationHandle = WorkflowHandle<typeof rotateSigningKey>;

const ID_PREFIXES: Readonly<Record<WorkflowType, string>> = {
  rotateSigningKey: 'rotate-signing-key/',
  migrateIssuer: 'migrate-issuer/',
};

/** One rotation of a cluster at a time has this ID; the Lease in the cluster holds whatever the ID is. */
export function workflowIdOf(cluster: string, type: WorkflowType = 'rotateSigningKey'): string {
  return `${ID_PREFIXES[type]}${cluster}`;
}

/** Null where the ID is another one. */
export function clusterOfId(workflowId: string): string | null {
  const prefix = Object.values(ID_PREFIXES).find((each) => workflowId.startsWith(each));
  return prefix === undefined ? null : workflowId.slice(prefix.length);
}
