// What doctor tells of probe pods: those that a rotation has left.
import type { ProbePodLeftover, ProbePods } from '../probe-pods/port.ts';
import { formatDuration } from '../rotation/duration.ts';
import { isUnfinished, type RotationRecord } from '../rotation/record.ts';
import { ok, warn, type Finding } from './finding.ts';

/** @param what the cluster, as in the other findings */
export async function examineProbePods(
  probePods: ProbePods | null,
  record: RotationRecord | null,
  what: string,
  nowMs: number,
): Promise<readonly Finding[]> {
  if (probePods === null) return [];
  const about = `${what}: probe pods`;
  const present = await probePods.leftovers();
  const inUse = isUnfinished(record) ? record.rotationId : null;
  const left = present.filter(({ rotationId }) => rotationId !== inUse);
  if (left.length === 0)
    return [ok(about, present.length === 0 ? 'none' : `of rotation ${inUse}: ${namesOf(present)}`)];
  return left.map((each) => warn(about, sentenceOf(each, probePods.namespace, nowMs)));
}

function sentenceOf({ object, rotationId, createdAt }: ProbePodLeftover, namespace: string, nowMs: number): string {
  const age = formatDuration(nowMs - Date.parse(createdAt));
  const place = object.startsWith('namespace/') ? '' : `-n ${namespace} `;
  return `${object} was left by rotation ${rotationId} ${age} ago; the next rotation removes it, or: kubectl ${place}delete ${object}`;
}

function namesOf(objects: readonly ProbePodLeftover[]): string {
  return objects.map(({ object }) => object).join(', ');
}
