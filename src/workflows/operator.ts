// The operator's side of a running rotation: registers the updates, refuses what makes no sense now, and remembers what was decided.
import type { UpdateDefinition } from '@temporalio/common';
import { ApplicationFailure, setHandler } from '@temporalio/workflow';
import type { AuditDecision } from '../rotation/audit.ts';
import { DECISIONS, refuseDecision, type Decision, type Situation } from '../rotation/decisions.ts';
import type { ChangeDrainInput, DecisionInput } from './messages.ts';
import * as messages from './messages.ts';
import { now } from './journal.ts';
import type { Standing } from './standing.ts';

const UPDATES: Readonly<Record<Exclude<Decision, 'changeDrain'>, UpdateDefinition<string, [DecisionInput]>>> = {
  pause: messages.pauseUpdate,
  resume: messages.resumeUpdate,
  approve: messages.approveUpdate,
  retry: messages.retryUpdate,
  rollBack: messages.rollBackUpdate,
  abort: messages.abortUpdate,
};

/** Until Preflight has made a plan there is nothing to decide about. */
const BEFORE_THE_PLAN: Situation = {
  state: 'preflight',
  phase: 'Preflight',
  paused: false,
  canRollBack: false,
  rollingBack: false,
  wait: null,
  canPause: true,
  hasDrain: true,
};

/** What the run does when something was decided. Each returns the sentence that the operator reads. */
export interface DecisionEffects {
  readonly standing: Standing;
  rollBack(): string;
  /** Null where the drain is accepted, else why it is refused. */
  refuseDrain(input: ChangeDrainInput): string | null;
  changeDrain(input: ChangeDrainInput): string;
}

export class Operator {
  /** Set by `approve` and `retry`; whoever waits for it takes it back. */
  approved = false;
  retried = false;
  /** Gates ask no more: someone wants this to end, and the only way is forward. */
  finishing = false;
  readonly decisions: AuditDecision[] = [];
  private readonly effects: DecisionEffects;

  constructor(effects: DecisionEffects) {
    this.effects = effects;
  }

  record(decision: AuditDecision['decision'], { reason, by }: Partial<DecisionInput>): void {
    this.decisions.push({
      decision,
      at: now(),
      reason: reason ?? '',
      by: typeof by === 'string' && by.trim() !== '' ? by : 'not stated',
      phase: this.effects.standing.phase,
    });
  }

  /** The sentence that refuses the decision now, or null. */
  refusal(decision: Decision, input: DecisionInput | null | undefined): string | null {
    const sentence = refuseDecision(decision, input?.reason, this.effects.standing.situation());
    if (sentence !== null || decision !== 'changeDrain') return sentence;
    return this.effects.refuseDrain(input as ChangeDrainInput);
  }

  decide(decision: Decision, input: DecisionInput): string {
    const { standing } = this.effects;
    this.record(decision, input);
    switch (decision) {
      case 'pause':
        standing.paused = true;
        return 'Stops before the next step.';
      case 'resume':
        standing.paused = false;
        return 'Goes on.';
      case 'approve':
        this.approved = true;
        return 'Approved; goes on.';
      case 'retry':
        this.retried = true;
        return 'Tries the held step again.';
      case 'changeDrain':
        return this.effects.changeDrain(input as ChangeDrainInput);
      case 'rollBack':
        return this.effects.rollBack();
      case 'abort':
        return standing.canRollBack ? this.effects.rollBack() : this.finishForward();
    }
  }

  /** No pause, gate or hold of now keeps the rotation from its end; a step that fails again is held again. */
  finishForward(): string {
    this.effects.standing.paused = false;
    this.finishing = true;
    this.retried = true;
    return 'Past the point of no return: finishes forward.';
  }
}

/** Registered before anything else is done, so that no update waits unheard. `find` gives null while there is no plan yet. */
export function listenToDecisions(find: () => Operator | null): void {
  const refuse = (decision: Decision, input: DecisionInput | null | undefined) => {
    const operator = find();
    const sentence =
      operator === null ? refuseDecision(decision, input?.reason, BEFORE_THE_PLAN) : operator.refusal(decision, input);
    // From a validator this rejects the update: nothing enters the history.
    if (sentence !== null) throw refusal(sentence);
  };
  const decide = (decision: Decision, input: DecisionInput) => {
    const operator = find();
    if (operator === null) throw refusal('There is no plan yet.');
    return operator.decide(decision, input);
  };
  for (const decision of DECISIONS) {
    const description = messages.DESCRIPTIONS[decision];
    if (decision === 'changeDrain') {
      setHandler(messages.changeDrainUpdate, (input) => decide(decision, input), {
        description,
        validator: (input: DecisionInput) => refuse(decision, input),
      });
    } else {
      setHandler(UPDATES[decision], (input) => decide(decision, input), {
        description,
        validator: (input: DecisionInput) => refuse(decision, input),
      });
    }
  }
}

/** Without a stack: the Temporal UI would show it below the sentence, and it tells an operator nothing. */
function refusal(sentence: string): ApplicationFailure {
  const failure = ApplicationFailure.nonRetryable(sentence, 'DECISION_REFUSED');
  failure.stack = '';
  return failure;
}
