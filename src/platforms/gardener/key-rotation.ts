// What is due for a Shoot's ServiceAccount key, from what the Shoot shows: an operation to ask for, a wait, or a proof. Pure.
import { changedBySomebody, lastOperationFailed, workersWaitForHands } from './refusals.ts';
import {
  keyRotationOf,
  lastOperationInWords,
  pendingOperation,
  poolsUpdatedByHand,
  type KeyRotation,
  type Shoot,
} from './shoot.ts';

/** How nodes get to know the new state: by the rotation itself, pool after pool when Keyturn asks, or when a person does. */
export type WorkersRollout = 'with-rotation' | 'pool-by-pool' | 'by-hand';

export type Due = { readonly ask: string } | { readonly waitingFor: string } | { readonly proof: string };

const COMPLETE = 'rotate-serviceaccount-key-complete';
const ROLL_OUT = 'rotate-rollout-workers';

/** Gardener writes whole seconds; its clock and ours differ by no more than the rest. */
const CLOCK_TOLERANCE_MS = 300_000;

export function startOperation(rollout: WorkersRollout): string {
  return rollout === 'with-rotation'
    ? 'rotate-serviceaccount-key-start'
    : 'rotate-serviceaccount-key-start-without-workers-rollout';
}

/** @param startedAt of our rotation, RFC 3339 @throws PLATFORM_CHANGED, PLATFORM_FAILED */
export function dueToBegin(shoot: Shoot, startedAt: string, rollout: WorkersRollout): Due {
  const rotation = keyRotationOf(shoot);
  const startedMs = Date.parse(startedAt);
  const initiatedMs = Date.parse(rotation?.lastInitiationTime ?? '');
  if (isAtRest(rotation)) {
    if (initiatedMs >= startedMs)
      throw changedBySomebody(shoot, 'A rotation was begun and completed by somebody else meanwhile');
    return askUnlessPending(shoot, startOperation(rollout));
  }
  if (initiatedMs < startedMs - CLOCK_TOLERANCE_MS) {
    throw changedBySomebody(
      shoot,
      `The rotation that is under way was begun at ${rotation?.lastInitiationTime}, before ours`,
    );
  }
  return { proof: `Gardener has begun at ${rotation?.lastInitiationTime}; phase ${rotation?.phase}` };
}

/** Proven where the phase is Prepared. @throws PLATFORM_CHANGED, PLATFORM_FAILED, PLATFORM_UNFINISHED where a person must update nodes */
export function dueToPrepare(shoot: Shoot, rollout: WorkersRollout): Due {
  const rotation = keyRotationOf(shoot);
  if (isAtRest(rotation) || rotation?.phase === 'Completing') {
    throw changedBySomebody(
      shoot,
      'The rotation was completed by somebody else before its time: the former key is not trusted any more',
    );
  }
  if (rotation?.phase === 'Prepared') {
    return {
      proof: `Gardener has prepared the rotation at ${rotation.lastInitiationFinishedTime ?? 'an unknown time'}`,
    };
  }
  if (hasGivenUp(shoot)) throw lastOperationFailed(shoot);
  if (!isReconciling(shoot) && poolsUpdatedByHand(shoot).length > 0) throw workersWaitForHands(shoot);
  if (rotation?.phase === 'WaitingForWorkersRollout') return dueToRollOut(shoot, rotation, rollout);
  return { waitingFor: `Gardener, in phase ${rotation?.phase}: ${lastOperationInWords(shoot)}` };
}

function dueToRollOut(shoot: Shoot, rotation: KeyRotation, rollout: WorkersRollout): Due {
  const pools = rotation.pendingWorkersRollouts.map(({ name }) => name);
  const [next] = pools;
  if (next === undefined || isReconciling(shoot) || pendingOperation(shoot) !== undefined) {
    return { waitingFor: `Gardener, in phase WaitingForWorkersRollout: ${lastOperationInWords(shoot)}` };
  }
  if (rollout === 'pool-by-pool') return { ask: `${ROLL_OUT}=${next}` };
  return {
    waitingFor: `a person who rolls out the worker pools ${pools.join(', ')} (annotation gardener.cloud/operation=${ROLL_OUT}=<pool>)`,
  };
}

/** @throws PLATFORM_CHANGED, PLATFORM_FAILED */
export function dueToComplete(shoot: Shoot): Due {
  const rotation = keyRotationOf(shoot);
  switch (rotation?.phase) {
    case 'Completed':
      return { proof: `Gardener has completed the rotation at ${rotation.lastCompletionTime ?? 'an unknown time'}` };
    case 'Completing':
      if (hasGivenUp(shoot)) throw lastOperationFailed(shoot);
      return { waitingFor: `Gardener, in phase Completing: ${lastOperationInWords(shoot)}` };
    case 'Prepared':
      return askUnlessPending(shoot, COMPLETE);
    default:
      throw changedBySomebody(
        shoot,
        `The rotation is in phase ${rotation?.phase ?? 'none'}, where nothing can be completed`,
      );
  }
}

/** gardenlet takes up one annotation after the other: none of somebody else's is overwritten. */
function askUnlessPending(shoot: Shoot, operation: string): Due {
  const pending = pendingOperation(shoot);
  if (pending === undefined) return { ask: operation };
  return { waitingFor: `gardenlet, which has still to take up the operation ${pending}` };
}

function isAtRest(rotation: KeyRotation | undefined): boolean {
  return rotation?.phase === undefined || rotation.phase === '' || rotation.phase === 'Completed';
}

function hasGivenUp({ status }: Shoot): boolean {
  return status.lastOperation?.state === 'Failed';
}

function isReconciling({ status }: Shoot): boolean {
  return status.lastOperation?.state === 'Processing' || status.lastOperation?.state === 'Pending';
}
