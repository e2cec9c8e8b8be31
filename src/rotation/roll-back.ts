// The way back: the plan's own undo steps in reverse order, with a wait where tokens of the new key are about.
import { formatDuration } from './duration.ts';
import type { Phase } from './phase.ts';
import type { Plan, Step, Undo } from './plan.ts';
import { releaseBeforeWaits } from './release-nodes.ts';

export interface UndoStep extends Undo {
  /** `undo/` and the id of the step that it takes back. */
  readonly id: string;
  readonly undoes: string | null;
  /** Of the step that it takes back; waits count as the phase whose wait they repeat. */
  readonly phase: Phase;
}

/**
 * Undo steps for the steps that were started (a step that failed half way counts: undoing what was not done changes nothing).
 * 1. Before a signer is switched back, every relying party has the former key (again).
 * 2. Once an API server has signed with the new key, its tokens must stay valid after the signer is back (invariant 1): before anyone
 *    forgets the new key, the drain is waited out. Where nothing was signed there is nothing to drain.
 * 3. Where the plan removes agents from the nodes before its waits, these waits are no exception.
 * 4. Controller managers mint legacy tokens with the former key only once they have it again: what Refreshing did is taken back after
 *    Signing, and before anyone forgets the new key.
 */
export function rollBackSteps(plan: Plan, started: ReadonlySet<string>): readonly UndoStep[] {
  const toUndo = refreshingAfterSigning(startedSteps(plan, started).toReversed());
  const signed = toUndo.some(({ action }) => ['sign', 'followRotation', 'switchIssuer'].includes(action.type));
  const firstSigner = toUndo.find(({ phase, undo }) => phase === 'Signing' && undo !== null);
  const firstTrust = toUndo.find(({ action }) => ['trust', 'beginRotation', 'acceptIssuer'].includes(action.type));
  const steps = toUndo.flatMap((step): readonly UndoStep[] => {
    if (step.undo === null) return [];
    const guards = signed ? step.undo.guards : step.undo.guards.filter((guard) => guard !== 'nextDrained');
    const undo = { ...step.undo, guards, id: `undo/${step.id}`, undoes: step.id, phase: step.phase };
    // Relying parties of the former issuer have kept its documents.
    if (signed && step === firstSigner && plan.migration === undefined) return [waitForRelyingParties(plan), undo];
    if (signed && step === firstTrust) return [drainNext(plan), undo];
    return [undo];
  });
  const hasAgents = plan.steps.some(({ action }) => action.type === 'releaseNodes');
  return hasAgents ? releaseBeforeWaits(steps, releaseNodes, { isBusy: true }) : steps;
}

/** A platform that was told to begin may sign with the new key, whether anybody follows it or not. */
function startedSteps(plan: Plan, started: ReadonlySet<string>): readonly Step[] {
  const hasBegun = plan.steps.some(({ id, action }) => action.type === 'beginRotation' && started.has(id));
  return plan.steps.filter(({ id, action }) => started.has(id) || (hasBegun && action.type === 'followRotation'));
}

function releaseNodes({ id, phase }: UndoStep): UndoStep {
  return {
    id: `${id}/release-nodes`,
    undoes: null,
    phase,
    summary: 'Remove the agents with which the nodes were reached',
    action: { type: 'releaseNodes' },
    guards: [],
  };
}

function refreshingAfterSigning(steps: readonly Step[]): readonly Step[] {
  const refreshing = steps.filter(({ phase }) => phase === 'Refreshing');
  const others = steps.filter(({ phase }) => phase !== 'Refreshing');
  const signed = others.findLastIndex(({ phase }) => phase === 'Signing');
  return [...others.slice(0, signed + 1), ...refreshing, ...others.slice(signed + 1)];
}

/** It is over already unless the former key was published again, or a run is taken up that had just begun to publish. */
function waitForRelyingParties(plan: Plan): UndoStep {
  return {
    id: 'undo/wait-for-relying-parties',
    undoes: null,
    phase: 'Pruning',
    summary: `Wait ${formatDuration(plan.waits.relyingParties.ms)} until every relying party has the former key again`,
    action: { type: 'wait', wait: 'relyingParties' },
    guards: ['formerIsPublic'],
  };
}

function drainNext(plan: Plan): UndoStep {
  return {
    id: 'undo/drain',
    undoes: null,
    phase: 'Draining',
    summary: `Wait ${formatDuration(plan.waits.drain.totalMs)} until no token of the new ${plan.migration === undefined ? 'key' : 'issuer'} can matter`,
    action: { type: 'wait', wait: 'drainNext' },
    guards: plan.migration === undefined ? ['nobodySignsWithNext'] : [],
  };
}
