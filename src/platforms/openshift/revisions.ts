// How far the operator has brought its newest revision to the nodes. Pure: judges objects that were read.
import type { ClusterOperatorObject, KubeApiServerObject } from './objects.ts';
import { revisionFailed } from './refusals.ts';

export interface NodeRevision {
  readonly node: string;
  readonly current: number;
}

export interface Revisions {
  readonly latest: number;
  readonly nodes: readonly NodeRevision[];
  /** What is not there yet; null where every node runs the newest revision. */
  readonly missing: string | null;
}

/**
 * The operator's own word on a failure comes first: everything else may look finished beside it.
 * @throws PLATFORM_FAILED with the operator's words where a node's newest attempt has failed
 */
export function readRevisions(object: KubeApiServerObject): Revisions {
  const status = object.status ?? {};
  const latest = status.latestAvailableRevision ?? 0;
  const statuses = status.nodeStatuses ?? [];
  for (const node of statuses) {
    const failed = node.lastFailedRevision ?? 0;
    if (failed > (node.currentRevision ?? 0)) throw revisionFailed(node.nodeName, failed, wordsOf(node, object));
  }
  const nodes = statuses.map(({ nodeName, currentRevision }) => ({ node: nodeName, current: currentRevision ?? 0 }));
  const behind = statuses
    .filter(({ currentRevision, targetRevision }) => currentRevision !== latest || (targetRevision ?? 0) !== 0)
    .map(({ nodeName, currentRevision, targetRevision }) => {
      const target = (targetRevision ?? 0) === 0 ? '' : `, on the way to ${targetRevision}`;
      return `${nodeName} at ${currentRevision ?? 0}${target}`;
    });
  const missing =
    statuses.length === 0
      ? 'the operator tells of no node'
      : behind.length === 0
        ? null
        : `revision ${latest} is not on every node: ${behind.join('; ')}`;
  return { latest, nodes, missing };
}

type NodeStatus = NonNullable<NonNullable<KubeApiServerObject['status']>['nodeStatuses']>[number];

function wordsOf({ lastFailedReason, lastFailedRevisionErrors }: NodeStatus, { status }: KubeApiServerObject): string {
  const degraded = (status?.conditions ?? [])
    .filter(({ type, status: value }) => type.endsWith('Degraded') && value === 'True')
    .map(({ type, message }) => `${type}: ${message ?? ''}`);
  const words = [lastFailedReason ?? '', ...(lastFailedRevisionErrors ?? []), ...degraded].filter(
    (text) => text !== '',
  );
  return words.length === 0 ? 'it gives no reason' : words.join('; ');
}

/** What the ClusterOperator says that is not as it must be at the end; null where it is. */
export function describeUnsettled(object: ClusterOperatorObject | null): string | null {
  const wanted = { Available: 'True', Progressing: 'False', Degraded: 'False' } as const;
  const conditions = object?.status?.conditions ?? [];
  const wrong = Object.entries(wanted).flatMap(([type, value]) => {
    const found = conditions.find((condition) => condition.type === type);
    if (found?.status === value) return [];
    const why = [found?.reason, found?.message].filter((text) => text != null && text !== '').join(': ');
    return [`${type}=${found?.status ?? 'unknown'}${why === '' ? '' : ` (${why})`}`];
  });
  return wrong.length === 0 ? null : `ClusterOperator kube-apiserver: ${wrong.join('; ')}`;
}
