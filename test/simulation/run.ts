// One run of a rotation in the simulated world: goes through the plan as the workflow does, with the workflow's own pure decisions.
import { withDrain } from '../../src/rotation/change-drain.ts';
import { possibleDecisions, refuseDecision, type Decision, type Situation } from '../../src/rotation/decisions.ts';
import { computeDrain, type DrainPolicy } from '../../src/rotation/drain.ts';
import { gateBefore, type GateName } from '../../src/rotation/gates.ts';
import { countedFrom, stepsBeforeRetry, waitsToBeginAnew } from '../../src/rotation/lost-premises.ts';
import { comparePhases } from '../../src/rotation/phase.ts';
import type { Plan, Step, WaitType } from '../../src/rotation/plan.ts';
import type { UndoStep } from '../../src/rotation/roll-back.ts';
import { canStillRollBack, stepsDoneBefore, stepsPerhapsStarted } from '../../src/rotation/take-up.ts';
import { WaitClock } from '../../src/workflows/wait-clock.ts';
import { Attempts, Interrupted, type Sleeper } from './attempts.ts';
import type { Happening } from './happenings.ts';
import { Harm } from './harm.ts';
import { mend, type Failure } from './mend.ts';
import type { World } from './world.ts';

/** The run was terminated: another one takes the rotation up. */
export class Killed extends Error {}
/** The steps are to be taken back. */
class TurnBack extends Error {}

export interface RunOptions {
  readonly world: World;
  readonly plan: Plan;
  readonly rollBack: (plan: Plan, started: ReadonlySet<string>) => readonly UndoStep[];
  readonly gates: readonly GateName[];
  /** What happens in the next turn. */
  /** A step, or one that takes it back, is begun. */
  readonly begin: (stepId: string) => void;
  readonly nextTurn: () => readonly Happening['what'][];
  readonly happen: (what: Happening['what']) => void;
  /** Of this run and of those that were killed. */
  readonly sleepers: Sleeper[];
}

export type Ending = 'completed' | 'rolled-back' | 'given up';

/** An operator who has nothing else to decide tries a held step so often. */
const PATIENCE = 4;
const LIFETIMES = { maxTokenExpirationMs: null, extendTokenExpiration: true };

export class Run {
  readonly world: World;
  readonly clock: WaitClock;
  plan: Plan;
  /** Nothing went wrong so far, and nobody has asked for anything. */
  holds = 0;
  private readonly options: RunOptions;
  private readonly attempts: Attempts;
  private readonly done: Set<string>;
  private readonly started: Set<string>;
  private readonly approvedSteps = new Set<string>();
  private situation: Situation;
  private turnBack = false;
  private approved = false;
  private retried = false;
  private finishing = false;

  constructor(options: RunOptions) {
    this.options = options;
    this.world = options.world;
    this.plan = options.plan;
    const record = this.world.record;
    const milestones = record?.milestones ?? {};
    this.done = new Set(stepsDoneBefore(this.plan, milestones));
    this.started = new Set(stepsPerhapsStarted(this.plan, record === null ? null : milestones));
    this.clock = new WaitClock(this.plan.waits);
    const { publishedAt, verifiedAt } = countedFrom(milestones, this.world.workerTime());
    if (publishedAt !== null) this.clock.begin('relyingParties', publishedAt);
    if (verifiedAt !== null) this.clock.begin('drain', verifiedAt);
    this.situation = {
      state: 'running',
      phase: 'Preflight',
      paused: false,
      canRollBack: canStillRollBack(this.plan, milestones),
      rollingBack: false,
      wait: null,
      canPause: true,
      hasDrain: this.plan.steps.some(({ action }) => action.type === 'wait' && action.wait === 'drain'),
    };
    this.attempts = new Attempts(this.world, this.clock, options.sleepers, () => this.pass());
  }

  /** @throws Killed, Harm */
  go(): Ending {
    try {
      try {
        for (const { id } of this.plan.steps) {
          const step = this.plan.steps.find((each) => each.id === id);
          if (step === undefined || this.done.has(id)) continue;
          this.perform(step);
          this.done.add(id);
        }
        return 'completed';
      } catch (error) {
        if (!(error instanceof TurnBack)) throw error;
      }
      this.back();
      return 'rolled-back';
    } catch (error) {
      if (error instanceof GivenUp) return 'given up';
      throw error;
    }
  }

  private back(): void {
    this.turnBack = false;
    this.world.tell('It is rolled back.');
    for (const undo of this.options.rollBack(this.plan, this.started)) {
      if (undo.action.type === 'wait' && this.isOver(undo.action.wait)) continue;
      this.perform(undo);
      if (undo.undoes !== null) this.done.delete(undo.undoes);
    }
  }

  private perform(step: Step | UndoStep): void {
    let tries = 0;
    this.options.begin(step.id);
    for (;;) {
      this.turnBackIfAsked();
      this.show({
        state: this.situation.rollingBack ? 'rolling-back' : 'running',
        phase: step.phase,
        canPause: this.plan.unpausable?.includes(step.phase) !== true,
        wait: null,
      });
      this.pass();
      this.untilNothingKeeps(step);
      const failure = this.attempt(step);
      if (failure === null) return;
      this.turnBackIfAsked();
      this.hold(step, failure, (tries += 1));
      this.waitAnew(step, failure);
    }
  }

  private waitAnew(step: Step | UndoStep, { guards }: Failure): void {
    const way = 'undoes' in step ? 'back' : 'forward';
    const waits = waitsToBeginAnew(guards, way, this.plan.publishing);
    const begun = waits.filter((wait) => this.clock.end(wait) !== null);
    if (begun.length === 0) return;
    for (const wait of begun) this.clock.begin(wait, new Date(this.world.nowMs).toISOString());
    for (const each of stepsBeforeRetry(this.plan, step, begun)) this.perform(each);
  }

  private untilNothingKeeps(step: Step | UndoStep): void {
    for (;;) {
      this.turnBackIfAsked();
      if (this.situation.paused) {
        this.show({ state: 'paused' });
        this.untilDecided(() => !this.situation.paused, 'resume');
      } else if (this.isGated(step)) {
        this.show({ state: 'gated' });
        this.approved = false;
        this.untilDecided(() => this.approved || this.finishing, 'approve');
        if (this.approved) this.approvedSteps.add(step.id);
      } else return;
    }
  }

  private isGated(step: Step | UndoStep): boolean {
    if ('undoes' in step || this.finishing || this.approvedSteps.has(step.id)) return false;
    return gateBefore(this.plan, step, this.options.gates) !== null;
  }

  private hold(step: Step | UndoStep, failure: Failure, tries: number): void {
    const { world } = this;
    this.holds += 1;
    world.tell(`Held at "${step.summary}": ${failure.message} [${failure.code}].`);
    this.show({ state: 'held', wait: null });
    this.retried = false;
    if (tries > PATIENCE) throw new GivenUp();
    if (tries === PATIENCE && possibleDecisions(this.situation).includes('rollBack')) this.decide('rollBack');
    this.untilDecided(
      () => this.retried,
      () => {
        world.tell('The operator puts right what is named, and has it tried again.');
        mend(world, failure);
        this.decide('retry');
      },
    );
  }

  /** Others may decide; when all that is to happen has happened, `otherwise` is decided. */
  private untilDecided(isDecided: () => boolean, otherwise: Decision | (() => void)): void {
    this.pass();
    this.turnBackIfAsked();
    if (!isDecided()) {
      if (typeof otherwise === 'string') this.decide(otherwise);
      else otherwise();
    }
    this.turnBackIfAsked();
  }

  private attempt(step: Step | UndoStep): Failure | null {
    if (!this.situation.rollingBack) {
      this.started.add(step.id);
      if (comparePhases(step.phase, this.plan.pointOfNoReturn) >= 0) this.show({ canRollBack: false });
    }
    if (step.action.type === 'wait') return this.waitOut(step, step.action.wait);
    for (;;) {
      try {
        return this.attempts.carryOut(step);
      } catch (error) {
        if (!(error instanceof Interrupted)) throw error;
        if (error.by === 'kill') throw new Killed('the run is killed');
        this.decide('rollBack');
        this.turnBackIfAsked();
      }
    }
  }

  private waitOut(step: Step | UndoStep, type: WaitType): Failure | null {
    const { world, clock } = this;
    const failure = this.attempts.check(step);
    if (failure !== null) return failure;
    const from = new Date(world.nowMs).toISOString();
    if (type === 'drainNext' && clock.end(type) === null) clock.begin(type, from);
    const left = () => Date.parse(clock.end(type) ?? from) - world.nowMs;
    if (left() <= 0) return null;
    const agent = world.nodes.find(({ hasAgent }) => hasAgent);
    if (agent !== undefined && this.plan.steps.some(({ action }) => action.type === 'releaseNodes')) {
      throw new Harm(`${agent.name} keeps an agent of Keyturn's for a wait of hours`);
    }
    this.show({ state: 'waiting', wait: type });
    if (world.isTold) world.tell(`${step.summary}.`);
    for (let part = 3; left() > 0; part = Math.max(1, part - 1)) {
      world.advance(Math.ceil(left() / part));
      this.pass();
      this.turnBackIfAsked();
    }
    this.show({ wait: null });
    return null;
  }

  /** A turn passes, and whatever is to happen in it happens. */
  private pass(): void {
    for (const what of this.options.nextTurn()) {
      switch (what.kind) {
        case 'decision':
          if (what.decision === 'cancel') this.cancel();
          else this.decide(what.decision);
          break;
        case 'changeDrain':
          this.changeDrain(what.drain);
          break;
        case 'killed':
          throw new Killed('the run is killed');
        case 'fault':
          this.attempts.fault = what.fault;
          break;
        default:
          this.options.happen(what);
      }
    }
    this.attempts.wakeSleepers();
    this.turnBackIfAsked();
  }

  /** What an Update does: refused, with nothing done, where it makes no sense. */
  decide(decision: Decision): void {
    if (refuseDecision(decision, 'simulated', this.situation) !== null) return;
    this.world.tell(`The operator decides: ${decision}.`);
    switch (decision) {
      case 'pause':
        return this.show({ paused: true });
      case 'resume':
        return this.show({ paused: false });
      case 'approve':
        this.approved = true;
        return undefined;
      case 'retry':
        this.retried = true;
        return undefined;
      case 'rollBack':
        return this.requestRollBack();
      case 'abort':
        return this.situation.canRollBack ? this.requestRollBack() : this.finishForward();
      case 'changeDrain':
        return undefined;
    }
  }

  private cancel(): void {
    const { rollingBack, canRollBack } = this.situation;
    this.world.tell('The workflow is cancelled.');
    if (rollingBack) return;
    if (canRollBack) this.requestRollBack();
    else this.finishForward();
  }

  private changeDrain(policy: DrainPolicy): void {
    if (refuseDecision('changeDrain', 'simulated', this.situation) !== null) return;
    const drain = computeDrain(policy, LIFETIMES);
    if ('refused' in drain) return;
    this.world.tell(`The operator changes the drain: it is now ${drain.explanation}.`);
    this.plan = withDrain(this.plan, drain);
    this.clock.change(this.plan.waits);
    this.world.promise(policy);
  }

  private requestRollBack(): void {
    this.turnBack = true;
    this.show({ rollingBack: true, paused: false, state: 'rolling-back' });
  }

  private finishForward(): void {
    this.finishing = true;
    this.retried = true;
    this.show({ paused: false });
  }

  private turnBackIfAsked(): void {
    if (this.turnBack) throw new TurnBack();
  }

  private isOver(type: WaitType): boolean {
    const end = this.clock.end(type);
    return end !== null && Date.parse(end) <= this.world.nowMs;
  }

  private show(change: Partial<Situation>): void {
    this.situation = { ...this.situation, ...change };
  }
}

/** Nobody can help it: everything was tried. */
class GivenUp extends Error {}
