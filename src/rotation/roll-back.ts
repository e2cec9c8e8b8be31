// The way back: the plan's own undo steps in reverse order, with a wait where tokens of the new key are about.
import { formatDuration } from './duration.ts';
import type { Phase } from './phase.ts';
import type { Plan, Undo } from './plan.ts';

export interface UndoStep extends Undo {
  /** `undo/` and the id of the step that it takes back. */
  readonly id: string;
  readonly undoes: string | null;
  /** Of the step that it takes back; waits count as the phase whose wait they repeat. */
  readonly phase: Phase;
}

/**
 * Undo steps for the steps that were started (a step that failed half way counts: undoing what was not done changes nothing).
 * Once an API server has signed with the new key, its tokens must stay valid after the signer is back (invariant 1):
 * before anyone forgets the new key, the drain is waited out.
 */
export function rollBackSteps(plan: Plan, started: ReadonlySet<string>): readonly UndoStep[] {
  const toUndo = plan.steps.filter(({ id }) => started.has(id)).toReversed();
  const signed = toUndo.some(({ action }) => action.type === 'sign');
  const steps: UndoStep[] = [];
  let drained = !signed;
  for (const step of toUndo) {
    if (step.undo === null) continue;
    if (!drained && step.undo.action.type === 'distrust') {
      steps.push(drainNext(plan));
      drained = true;
    }
    steps.push({ ...step.undo, id: `undo/${step.id}`, undoes: step.id, phase: step.phase });
    if (step.undo.action.type === 'republishFormer') steps.push(waitForRelyingParties(plan));
  }
  return steps;
}

/** Relying parties that read the JWKS while the former key was not in it must read it again before anyone signs with it. */
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
    summary: `Wait ${formatDuration(plan.waits.drain.totalMs)} until no token of the new key can matter`,
    action: { type: 'wait', wait: 'drainNext' },
    guards: ['nobodySignsWithNext'],
  };
}
