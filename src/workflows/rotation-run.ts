// One run of a rotation: interprets the plan forward, holds where a person must decide, and takes steps back through the plan's own undo.
import { ApplicationFailure, CancellationScope, condition, isCancellation, patched } from '@temporalio/workflow';
import type { Preflight, StepInput } from '../activities/contract.ts';
import type { AuditRecord, Outcome } from '../rotation/audit.ts';
import { withDrain } from '../rotation/change-drain.ts';
import { possibleDecisions } from '../rotation/decisions.ts';
import { computeDrain } from '../rotation/drain.ts';
import { endingOf } from '../rotation/notification.ts';
import { stepsBeforeRetry, waitsToBeginAnew } from '../rotation/lost-premises.ts';
import { comparePhases } from '../rotation/phase.ts';
import type { Step, WaitType } from '../rotation/plan.ts';
import { rollBackSteps, type UndoStep } from '../rotation/roll-back.ts';
import { stepsPerhapsStarted } from '../rotation/take-up.ts';
import { activities } from './activity-stubs.ts';
import { DecisionPoints, TurnBack } from './decision-points.ts';
import { failedGuards, failureOf, type Failure } from './failure.ts';
import { now, type Journal } from './journal.ts';
import type { ChangeDrainInput } from './messages.ts';
import { Operator } from './operator.ts';
import { OperatorNews, type News } from './operator-news.ts';
import { ProbeSpan } from './probe-span.ts';
import { SearchIndex } from './search-attributes.ts';
import { Standing } from './standing.ts';
import { WaitClock } from './wait-clock.ts';

type Ready = Extract<Preflight, { outcome: 'ready' }>;
type Ended = Exclude<Outcome, 'not-started'>;

export class RotationRun {
  readonly operator: Operator;
  readonly probes: ProbeSpan;
  readonly standing: Standing;
  private readonly ready: Ready;
  private readonly journal: Journal;
  private readonly clock: WaitClock;
  private readonly news = new OperatorNews();
  private readonly index: SearchIndex;
  /** Steps that a roll back must take back. */
  private readonly started: Set<string>;
  private readonly points: DecisionPoints;
  private stepScope: CancellationScope | null = null;

  constructor(ready: Ready, journal: Journal) {
    this.ready = ready;
    this.journal = journal;
    const { plan, publishedAt, verifiedAt } = ready;
    const milestones = {
      ...(publishedAt === null ? {} : { publishedAt }),
      ...(verifiedAt === null ? {} : { verifiedAt }),
    };
    this.started = new Set(ready.perhapsStarted ?? (ready.takenUp ? stepsPerhapsStarted(plan, milestones) : []));
    this.standing = new Standing(ready, plan, ready.doneBefore);
    this.standing.next = ready.next;
    this.standing.canRollBack = ready.canRollBack;
    this.clock = new WaitClock(plan.waits);
    this.index = new SearchIndex(ready.searchable);
    if (publishedAt !== null) this.clock.begin('relyingParties', publishedAt);
    if (verifiedAt !== null) this.clock.begin('drain', verifiedAt);
    this.probes = new ProbeSpan({ cluster: ready.cluster, rotationId: ready.rotationId });
    this.operator = new Operator({
      standing: this.standing,
      rollBack: () => this.requestRollBack(),
      refuseDrain: (input) => this.refuseDrain(input),
      changeDrain: (input) => this.changeDrain(input),
    });
    const { standing, operator, probes } = this;
    const tell = (state: 'gated' | 'held', reason: string) => this.news.tell(this.newsOf(state, reason));
    this.points = new DecisionPoints({ standing, operator, probes, journal, gates: ready.gates, tell });
  }

  /**
   * Goes forward to the end, or back to where the rotation came from, and hands the audit record over.
   * A cancelled workflow can do nothing more in its own scope; so all of this has one that cancellation does not reach, and hears of it.
   */
  async run(recordOf: (outcome: Ended) => AuditRecord): Promise<AuditRecord> {
    const workflow = CancellationScope.current();
    if (workflow.consideredCancelled) this.cancel();
    else void workflow.cancelRequested.catch(() => this.cancel());
    return CancellationScope.nonCancellable(async () => {
      const outcome = await this.forwardOrBack();
      await this.probes.stop();
      const audit = await this.conclude(() => recordOf(outcome));
      this.indexPhase(outcome);
      await this.news.tellLast(this.newsOf(outcome, endingOf(audit)));
      return audit;
    });
  }

  private async forwardOrBack(): Promise<Ended> {
    try {
      await this.forward();
      return 'completed';
    } catch (error) {
      if (!(error instanceof TurnBack)) throw error;
    }
    await this.back();
    return 'rolled-back';
  }

  private async forward(): Promise<void> {
    for (const { id } of this.standing.plan.steps) {
      // The plan's words follow a changed drain; its steps stay.
      const step = this.standing.plan.steps.find((each) => each.id === id);
      if (step === undefined || this.standing.done.has(id)) continue;
      await this.perform(step);
      this.standing.done.add(id);
    }
  }

  private async back(): Promise<void> {
    this.points.turnBack = false;
    const { plan, done, undone } = this.standing;
    for (const undo of rollBackSteps(plan, this.started)) {
      if (this.isOverAlready(undo)) continue;
      await this.perform(undo);
      if (undo.undoes === null) continue;
      done.delete(undo.undoes);
      undone.add(undo.undoes);
    }
  }

  /** Does one step; where it fails for good, holds until an operator says how to go on. */
  private async perform(step: Step | UndoStep): Promise<void> {
    for (;;) {
      this.points.turnBackIfAsked();
      this.standing.enter(step);
      this.journal.enter(step.phase);
      this.indexPhase();
      await this.watchTokens(step);
      const failure = (await this.points.untilNothingKeeps(step)) ?? (await this.attempt(step));
      if (failure === null) break;
      this.points.turnBackIfAsked();
      await this.points.hold(step.id, failure);
      this.probes.forgive();
      await this.waitAnew(step, failure);
    }
    this.standing.stepId = null;
  }

  /** Where a guard has seen a proof undone, what was waited for since then is waited for again. */
  private async waitAnew(step: Step | UndoStep, { details }: Failure): Promise<void> {
    const way = 'undoes' in step ? 'back' : 'forward';
    const waits = waitsToBeginAnew(failedGuards(details), way, this.standing.plan.publishing);
    const begun = waits.filter((wait) => this.clock.end(wait) !== null);
    // Since 0.1.0: rotations that began earlier go on without it.
    if (begun.length === 0 || !patched('wait-anew-after-a-lost-proof')) return;
    for (const wait of begun) this.clock.begin(wait, now());
    for (const each of stepsBeforeRetry(this.standing.plan, step, begun)) await this.perform(each);
  }

  /** Null where the step was done. */
  private async attempt(step: Step | UndoStep): Promise<Failure | null> {
    this.points.turnBackIfAsked();
    if (!this.standing.rollingBack) {
      this.started.add(step.id);
      const isFinal = comparePhases(step.phase, this.standing.plan.pointOfNoReturn) >= 0;
      if (isFinal) this.standing.canRollBack = false;
    }
    const scope = new CancellationScope();
    this.stepScope = scope;
    try {
      return await scope.run(() => this.carryOut(step));
    } catch (error) {
      if (isCancellation(error)) this.points.turnBackIfAsked();
      return failureOf(error);
    } finally {
      this.stepScope = null;
    }
  }

  private async carryOut(step: Step | UndoStep): Promise<Failure | null> {
    const { action } = step;
    if (action.type === 'wait') return this.waitOut(step, action.wait);
    const startedAt = now();
    const input = this.inputOf(step, 'node' in action ? action.node : null);
    const result = await activities[action.type].executeWithOptions({ summary: step.summary }, [input]);
    if (result.next !== undefined) this.standing.next = result.next;
    this.standing.learn(result);
    if (action.type === 'publishKey' || action.type === 'republishFormer')
      this.clock.begin('relyingParties', startOfWait(result.at, this.ready.publishedAt));
    if (result.publishedAt !== undefined) this.clock.begin('relyingParties', result.publishedAt);
    if (action.type === 'verify') this.clock.begin('drain', startOfWait(result.at, this.ready.verifiedAt));
    if (result.begins !== undefined) this.clock.begin(result.begins, startOfWait(result.at, this.ready.verifiedAt));
    if (result.podTokenSince !== undefined) this.clock.begin('kubelet', result.podTokenSince);
    this.journal.did(step, startedAt, result);
    return null;
  }

  /** A durable timer; a changed wait takes effect at once, and so does a token that the probes saw rejected. */
  private async waitOut(step: Step | UndoStep, type: WaitType): Promise<Failure | null> {
    const from = now();
    if (step.guards.length > 0) {
      const summary = `Check before: ${step.summary}`;
      await activities.checkGuards.executeWithOptions({ summary }, [this.inputOf(step, null)]);
    }
    if (type === 'drainNext' && this.clock.end(type) === null) this.clock.begin(type, now());
    this.standing.waitType = type;
    try {
      for (;;) {
        const until = this.clock.end(type) ?? from;
        const remainingMs = Date.parse(until) - Date.now();
        if (remainingMs <= 0) return null;
        if (this.points.probesDemandHold()) return this.probes.failure;
        this.standing.showWait('waiting', { reason: this.clock.explain(type), until });
        const isDisturbed = () => this.clock.end(type) !== until || this.points.probesDemandHold();
        await condition(isDisturbed, remainingMs, { summary: step.summary });
      }
    } finally {
      const override = this.clock.override(type);
      const explanation = this.clock.explain(type);
      this.journal.waits.push({
        reason: step.summary,
        from,
        until: now(),
        explanation,
        ...(override === undefined ? {} : { override }),
      });
    }
  }

  /** Cancelling the workflow is a roll back where that is possible; else the run finishes forward. */
  private cancel(): void {
    const { canRollBack, rollingBack } = this.standing;
    const said = 'the workflow was cancelled';
    if (rollingBack) {
      this.operator.record('cancel', { reason: `${said} while it was being rolled back` });
    } else if (canRollBack) {
      this.operator.record('cancel', { reason: said });
      this.requestRollBack();
    } else {
      this.operator.record('cancel', { reason: `${said} past the point of no return: finishes forward` });
      this.operator.finishForward();
    }
  }

  private requestRollBack(): string {
    this.points.turnBack = true;
    this.standing.turnBack();
    this.stepScope?.cancel();
    return 'Rolls back: takes every step back, the last first.';
  }

  private refuseDrain({ drain }: ChangeDrainInput): string | null {
    const computed = computeDrain(drain, this.ready.tokenLifetimes);
    return 'refused' in computed ? `changeDrain is refused: ${computed.refused}.` : null;
  }

  private changeDrain(input: ChangeDrainInput): string {
    const drain = computeDrain(input.drain, this.ready.tokenLifetimes);
    if ('refused' in drain) throw ApplicationFailure.nonRetryable(drain.refused, 'DECISION_REFUSED');
    this.standing.plan = withDrain(this.standing.plan, drain);
    this.clock.change(this.standing.plan.waits);
    return `The drain is now ${drain.explanation}.`;
  }

  /** The audit record is a step like any other: while it cannot be written, the lock stays and a person is asked. */
  private async conclude(makeRecord: () => AuditRecord): Promise<AuditRecord> {
    this.standing.canRollBack = false;
    for (;;) {
      const audit = makeRecord();
      try {
        const summary = 'Write the audit record and give the lock back';
        await activities.conclude.executeWithOptions({ summary }, [{ cluster: this.ready.cluster, audit }]);
        this.standing.show('ended');
        return audit;
      } catch (error) {
        await this.points.hold('conclude', failureOf(error));
      }
    }
  }

  private isOverAlready({ action }: UndoStep): boolean {
    const end = action.type === 'wait' ? this.clock.end(action.wait) : null;
    return end !== null && Date.parse(end) <= Date.now();
  }

  private async watchTokens({ phase }: Step | UndoStep): Promise<void> {
    const probed = this.standing.plan.probed.some(
      ([from, to]) => comparePhases(phase, from) >= 0 && comparePhases(phase, to) <= 0,
    );
    // The way back is the remedy: what is wrong must not keep it from being done. Its rejections are counted all the same.
    if (this.standing.rollingBack) this.probes.forgive();
    if (probed) this.probes.start();
    else await this.probes.stop();
  }

  /** Once a phase: the history is finite. */
  private indexPhase(outcome?: Ended): void {
    const { phase } = this.standing;
    const activeKid = this.standing.keys().find(({ role }) => role === 'active')?.kid;
    this.index.show({
      cluster: this.ready.cluster,
      phase,
      ...(activeKid === undefined ? {} : { activeKid }),
      ...(outcome === undefined ? {} : { outcome }),
    });
  }

  private newsOf(state: News['state'], reason: string): News {
    const { cluster, rotationId } = this.ready;
    const { phase } = this.standing;
    return { state, cluster, rotationId, phase, reason, possible: possibleDecisions(this.standing.situation()) };
  }

  private inputOf({ action, guards }: Step | UndoStep, node: string | null): StepInput {
    const { cluster, rotationId, former, keyVersion, policies, plan } = this.ready;
    const restarted = 'workload' in action ? { workload: action.workload } : {};
    return {
      cluster,
      rotationId,
      former,
      keyVersion,
      node,
      ...restarted,
      guards,
      waitEnds: this.clock.ends(),
      policies,
      ...(plan.keyLayout === undefined ? {} : { keyLayout: plan.keyLayout.layout }),
      ...(plan.migration === undefined ? {} : { migration: plan.migration }),
    };
  }
}

/**
 * The wait's timer runs by the Temporal server's clock, and so must its begin: a worker whose clock is behind would shorten every wait by as
 * much. What a former run has proven counts from then. Since 0.2.0; rotations that began earlier go on with the worker's word.
 * @param seenAt RFC 3339, by the worker's clock
 * @param provenBefore the record of a former run that was taken up; null where there is none
 */
function startOfWait(seenAt: string, provenBefore: string | null): string {
  if (seenAt === provenBefore) return seenAt;
  return patched('waits-begin-by-the-servers-clock') ? now() : seenAt;
}
