// Where a run waits for people: pauses, gates, holds. Each ends at once where the steps are to be taken back.
import { condition } from '@temporalio/workflow';
import { gateBefore, type GateName } from '../rotation/gates.ts';
import type { Step } from '../rotation/plan.ts';
import type { UndoStep } from '../rotation/roll-back.ts';
import type { Failure } from './failure.ts';
import { now, type Journal } from './journal.ts';
import type { Operator } from './operator.ts';
import type { ProbeSpan } from './probe-span.ts';
import type { Standing } from './standing.ts';

/** Thrown inside the run when the steps are to be taken back; never leaves it. */
export class TurnBack extends Error {}

export interface DecisionPointsOptions {
  readonly standing: Standing;
  readonly operator: Operator;
  readonly probes: ProbeSpan;
  readonly journal: Journal;
  readonly gates: readonly GateName[];
  /** Tells people that they are asked. */
  readonly tell: (state: 'gated' | 'held', reason: string) => void;
}

export class DecisionPoints {
  /** Set when someone asked; taken back when the way back begins. */
  turnBack = false;
  private readonly approved = new Set<string>();
  private readonly standing: Standing;
  private readonly operator: Operator;
  private readonly probes: ProbeSpan;
  private readonly journal: Journal;
  private readonly gates: readonly GateName[];
  private readonly tell: DecisionPointsOptions['tell'];

  constructor({ standing, operator, probes, journal, gates, tell }: DecisionPointsOptions) {
    this.standing = standing;
    this.operator = operator;
    this.probes = probes;
    this.journal = journal;
    this.gates = gates;
    this.tell = tell;
  }

  /** Pauses, gates, and probes that saw a token rejected: whatever came meanwhile is looked at again. */
  async untilNothingKeeps(step: Step | UndoStep): Promise<Failure | null> {
    for (;;) {
      this.turnBackIfAsked();
      if (this.standing.paused) await this.stopWhilePaused();
      else if (this.probesDemandHold()) return this.probes.failure;
      else if (this.isGated(step)) await this.askAtGate(step);
      else return null;
    }
  }

  private isGated(step: Step | UndoStep): step is Step {
    if ('undoes' in step || this.operator.finishing || this.approved.has(step.id)) return false;
    return gateBefore(this.standing.plan, step, this.gates) !== null;
  }

  private async askAtGate(step: Step): Promise<void> {
    const gate = gateBefore(this.standing.plan, step, this.gates) ?? '';
    const { operator } = this;
    operator.approved = false;
    this.standing.showWait('gated', { reason: `gate "${gate}": approve before "${step.summary}"`, until: null });
    this.tell('gated', `It asks at the gate "${gate}", before: ${step.summary}.`);
    await this.untilDecided(() => operator.approved || operator.finishing || this.probesDemandHold());
    if (operator.approved) this.approved.add(step.id);
    this.standing.resume();
  }

  private async stopWhilePaused(): Promise<void> {
    this.standing.showWait('paused', { reason: 'paused by an operator', until: null });
    await this.untilDecided(() => !this.standing.paused);
    this.standing.resume();
  }

  async hold(step: string, { code, message }: Failure): Promise<void> {
    const from = now();
    this.operator.retried = false;
    this.standing.showHeld({ since: from, step, code, message });
    this.tell('held', `${step}: ${message} [${code}]`);
    try {
      await this.untilDecided(() => this.operator.retried);
    } finally {
      this.journal.holds.push({ step, code, message, from, until: now() });
    }
    this.standing.resume();
  }

  /** Waits for a person, for as long as it takes; a request to roll back ends it. */
  private async untilDecided(decided: () => boolean): Promise<void> {
    await condition(() => decided() || this.turnBack);
    this.turnBackIfAsked();
  }

  turnBackIfAsked(): void {
    if (this.turnBack) throw new TurnBack();
  }

  probesDemandHold(): boolean {
    return this.probes.failure !== null && !this.standing.rollingBack;
  }
}
