// What an operator may decide in which situation, and the sentence that refuses the rest.
import type { Phase } from './phase.ts';
import type { WaitType } from './plan.ts';

export const DECISIONS = ['pause', 'resume', 'approve', 'retry', 'rollBack', 'changeDrain', 'abort'] as const;
export type Decision = (typeof DECISIONS)[number];

/** What a rotation is doing; `held` waits for a person because something is wrong, `gated` because it was told to ask. */
export type RunState = 'preflight' | 'running' | 'waiting' | 'held' | 'gated' | 'paused' | 'rolling-back' | 'ended';

export interface Situation {
  readonly state: RunState;
  readonly phase: Phase;
  readonly paused: boolean;
  /** False from the point of no return on. */
  readonly canRollBack: boolean;
  readonly rollingBack: boolean;
  readonly wait: WaitType | null;
  /** False while the platform goes on by itself: nothing would stop. */
  readonly canPause: boolean;
  /** False where the platform forgets the former key by itself. */
  readonly hasDrain: boolean;
}

/** The decisions that make sense now, in the order of DECISIONS. */
export function possibleDecisions(situation: Situation): readonly Decision[] {
  if (situation.state === 'ended' || situation.state === 'preflight') return [];
  const canTurnBack = situation.canRollBack && !situation.rollingBack;
  const possible: Readonly<Record<Decision, boolean>> = {
    pause: !situation.paused && situation.canPause,
    resume: situation.paused,
    approve: situation.state === 'gated',
    retry: situation.state === 'held',
    rollBack: canTurnBack,
    changeDrain:
      situation.hasDrain && (situation.rollingBack ? situation.wait === 'drainNext' : !isPastDrain(situation)),
    abort: !situation.rollingBack,
  };
  return DECISIONS.filter((decision) => possible[decision]);
}

function isPastDrain({ phase }: Situation): boolean {
  return phase === 'Pruning' || phase === 'Untrusting' || phase === 'Retiring';
}

/** Null where the decision is accepted; else the sentence that says why not and what is possible now. */
export function refuseDecision(decision: Decision, reason: unknown, situation: Situation): string | null {
  if (typeof reason !== 'string' || reason.trim() === '') {
    return `${decision} needs a reason: it stands in the audit record. Send {"reason": "..."}.`;
  }
  const possible = possibleDecisions(situation);
  if (possible.includes(decision)) return null;
  const now = possible.length === 0 ? 'Nothing can be decided now.' : `Possible now: ${possible.join(', ')}.`;
  return `${decision} is not possible: ${explainRefusal(decision, situation)}. ${now}`;
}

function explainRefusal(decision: Decision, situation: Situation): string {
  const { state, phase, canRollBack, rollingBack, paused, canPause, hasDrain } = situation;
  if (state === 'preflight') return 'Preflight is under way and has changed nothing; to give up, cancel the workflow';
  if (state === 'ended') return 'the rotation has ended';
  if (rollingBack && (decision === 'rollBack' || decision === 'abort'))
    return 'the rotation is being rolled back already';
  if (decision === 'rollBack' && !canRollBack) return `${phase} is past the point of no return`;
  if (decision === 'pause' && !canPause && !paused) return `in ${phase} the platform goes on by itself`;
  if (decision === 'changeDrain' && !hasDrain) return 'the platform forgets the former key by itself, without a drain';
  return `the rotation is ${state} in ${phase}`;
}
