// What a run need not do again because a former run, which did not come to its end, has done and recorded it.
import { comparePhases, type Phase } from './phase.ts';
import type { Plan } from './plan.ts';
import type { NodeLayout } from './observation.ts';
import type { Milestones, RotationRecord } from './record.ts';

/**
 * The record with the nodes that there are now: those that joined are changed like the others, those that are gone are let alone.
 * @param layouts as they are seen now, one per configured node
 */
export function withPresentNodes(
  record: RotationRecord,
  layouts: readonly NodeLayout[],
  apiServerAddresses: readonly string[],
): RotationRecord {
  const keyLayout = record.layouts[0]?.keyLayout;
  const recorded = new Map(record.layouts.map((layout) => [layout.node, layout]));
  return {
    ...record,
    apiServerAddresses,
    layouts: layouts.map((seen): NodeLayout => {
      const { keyLayout: _, ...files } = seen;
      return recorded.get(seen.node) ?? { ...files, ...(keyLayout === undefined ? {} : { keyLayout }), joined: true };
    }),
  };
}

/**
 * Steps that stand as done. Only those are passed over that would now undo later work (publishing the former key that Pruning took out,
 * switching a controller manager to a key file that Untrusting has removed). Everything else is done again: idempotent steps find it
 * done, and the guards of all later steps look at the cluster, not at the record.
 */
export function stepsDoneBefore(plan: Plan, milestones: Milestones): readonly string[] {
  const last = lastProvenPhase(milestones);
  if (last === null) return [];
  return plan.steps.filter(({ phase }) => comparePhases(phase, last) <= 0).map(({ id }) => id);
}

/**
 * Steps that a former run may have started: what a roll back must take back even where this run has not come to them.
 * It errs on the side of too many, since undoing what was not done changes nothing.
 * @param milestones null where there is no record: a run that died may have made the key before it could write one
 */
export function stepsPerhapsStarted(plan: Plan, milestones: Milestones | null): readonly string[] {
  if (milestones === null) return plan.steps.filter(({ action }) => action.type === 'stageKey').map(({ id }) => id);
  const last = lastPossiblePhase(plan, milestones);
  return plan.steps.filter(({ phase }) => comparePhases(phase, last) <= 0).map(({ id }) => id);
}

/** Whether a run that takes the rotation up may still go back. */
export function canStillRollBack({ pointOfNoReturn }: Plan, { begunAt, untrustingAt }: Milestones): boolean {
  return untrustingAt === undefined && (begunAt === undefined || comparePhases(pointOfNoReturn, 'Signing') > 0);
}

/**
 * Nothing is trusted before it is public (unless trusting is what makes it public), and nothing is pruned before everyone signs with the new key. A roll back that died may have taken
 * that proof back, but not yet what came of it in Refreshing.
 */
function lastPossiblePhase({ steps }: Plan, { publishedAt, verifiedAt }: Milestones): Phase {
  if (verifiedAt !== undefined) return 'Pruning';
  if (publishedAt !== undefined) return 'Refreshing';
  // Where trusting publishes, that is how far it may have come.
  const publishing = steps.find(({ action }) => action.type === 'publishKey');
  return publishing?.phase ?? 'Publishing';
}

function lastProvenPhase(milestones: Milestones): Phase | null {
  const { untrustedAt, untrustingAt, prunedAt, keyMissingAt, otherSignerAt } = milestones;
  if (untrustedAt !== undefined) return 'Untrusting';
  if (prunedAt === undefined) return null;
  // What Draining rested on is proven anew while the former key may still be published again.
  const isLost = keyMissingAt !== undefined || otherSignerAt !== undefined;
  return isLost && untrustingAt === undefined ? null : 'Draining';
}
