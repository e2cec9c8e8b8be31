// Carries out one step as Temporal does with an activity: tried again where time may mend it, with the faults that an activity can have.
import { lostMilestones } from '../../src/rotation/lost-premises.ts';
import type { Step } from '../../src/rotation/plan.ts';
import type { UndoStep } from '../../src/rotation/roll-back.ts';
import type { WaitClock } from '../../src/workflows/wait-clock.ts';
import { perform } from './actions.ts';
import type { Doing, Done } from './doing.ts';
import { violated } from './facts.ts';
import { crash, meddle, type Fault } from './happenings.ts';
import { Harm } from './harm.ts';
import { bringNodesBack, type Failure } from './mend.ts';
import { StepFailed } from './step-failed.ts';
import type { World } from './world.ts';

/** Asks for what only the interpreter can do. */
export class Interrupted extends Error {
  readonly by: 'kill' | 'roll back';
  constructor(by: 'kill' | 'roll back') {
    super(by);
    this.by = by;
  }
}

/** Half of an activity whose worker hangs. */
export interface Sleeper {
  readonly doing: Doing;
  readonly what: string;
  readonly versions: string;
  turns: number;
}

/** The activity died and is tried again. */
class TriedAgain extends Error {}

const PART_MS = 500;
const FIRST_PAUSE_MS = 1000;

export class Attempts {
  /** To the next step. */
  fault: Fault | null = null;
  private readonly sleepers: Sleeper[];
  private readonly world: World;
  private readonly clock: WaitClock;
  private readonly pass: () => void;

  /** @param pass a turn passes while it waits for the next try */
  constructor(world: World, clock: WaitClock, sleepers: Sleeper[], pass: () => void) {
    this.world = world;
    this.clock = clock;
    this.sleepers = sleepers;
    this.pass = pass;
  }

  /** Null where it was done. @throws Harm, Interrupted */
  carryOut(step: Step | UndoStep): Failure | null {
    let pauseMs = FIRST_PAUSE_MS;
    for (;;) {
      const failure = this.check(step);
      if (failure !== null) return failure;
      try {
        this.finish(step, this.drive(step));
        return null;
      } catch (error) {
        if (error instanceof TriedAgain) continue;
        if (!(error instanceof StepFailed)) throw error;
        if (!error.transient) return { code: error.code, message: error.message, guards: [] };
      }
      pauseMs = this.pause(pauseMs);
    }
  }

  /** Waits while time may mend it. */
  check({ action, guards }: Step | UndoStep): Failure | null {
    let pauseMs = FIRST_PAUSE_MS;
    for (;;) {
      const node = 'node' in action ? action.node : null;
      const found = violated(this.world, guards, node, (wait) => this.clock.end(wait));
      if (found.length === 0) return null;
      if (!found.every(({ transient }) => transient)) {
        const message = found.map(({ reason }) => reason).join('; ');
        const failed = found.map(({ guard }) => guard);
        const { world } = this;
        const publishing = world.options.served ? 'by-trusting' : undefined;
        const milestones = world.record?.milestones ?? {};
        world.saveMilestones(lostMilestones(failed, milestones, world.workerTime(), publishing));
        return { code: 'GUARD_FAILED', message, guards: failed };
      }
      pauseMs = this.pause(pauseMs);
    }
  }

  private pause(ms: number): number {
    // It is seen that a node has left, and it is brought back.
    if (ms > 600_000) bringNodesBack(this.world);
    this.world.advance(ms);
    this.pass();
    return ms * 2;
  }

  private drive(step: Step | UndoStep): Done | void {
    const { world, fault } = this;
    if (step.action.type === 'wait') return undefined;
    this.fault = null;
    if (world.isTold) world.tell(`${step.summary}.`);
    if (fault !== null) this.begin(fault, step);
    const doing = perform(world, step.action);
    const { after } = { after: -1, ...fault };
    for (let part = 0; ; part += 1) {
      if (fault !== null && part === after) this.strike(fault, step, doing);
      const { done, value } = doing.next();
      world.look('ours');
      if (done === true) {
        if (fault?.fault === 'is done twice') this.doAgain(step);
        return value;
      }
      if (fault?.fault === 'somebody writes the JWKS meanwhile' && part === 0) {
        meddle(world, 'a foreign key is added to the JWKS', 0);
      }
      world.advance(PART_MS);
    }
  }

  private begin(fault: Fault, { action }: Step | UndoStep): void {
    if (fault.fault === 'takes long') this.world.advance(fault.ms);
    if (fault.fault === 'its API server refuses the manifest' && 'node' in action) {
      this.world.node(action.node).refusesNext = true;
    }
  }

  /** @throws what becomes of the activity */
  private strike(fault: Fault, { action }: Step | UndoStep, doing: Doing): void {
    const { world } = this;
    if (fault.fault === 'its API server dies meanwhile' && 'node' in action) {
      crash(world, world.nodes.indexOf(world.node(action.node)), 'API server');
    }
    if (fault.fault === 'sleeps') {
      world.tell(`It stops half way (part ${fault.after + 1}) and sleeps; it is tried again meanwhile.`);
      this.sleepers.push({ doing, what: action.type, versions: this.versions(), turns: fault.turns });
      throw new TriedAgain();
    }
    if (fault.fault !== 'dies') return;
    world.tell(`It dies half way (before its part ${fault.after + 1}), and ${fault.and}.`);
    if (fault.and === 'fails') throw new StepFailed('UNEXPECTED', 'it failed half way');
    if (fault.and === 'is tried again') throw new TriedAgain();
    throw new Interrupted(fault.and === 'the run is killed' ? 'kill' : 'roll back');
  }

  /** Invariant 6. @throws Harm */
  private doAgain(step: Step | UndoStep): void {
    const { world } = this;
    if (step.action.type === 'wait') return;
    world.tell('It is done once more.');
    const before = stateOf(world);
    const doing = perform(world, step.action);
    while (doing.next().done !== true) world.look('ours');
    world.look('ours');
    const after = stateOf(world);
    if (before !== after)
      throw new Harm(`invariant 6: done twice, "${step.summary}" changes something: ${before} became ${after}`);
  }

  /** What writes over exactly what it has read finds another version, and ends. */
  wakeSleepers(): void {
    if (this.sleepers.length === 0) return;
    for (const sleeper of this.sleepers) sleeper.turns -= 1;
    const awake = this.sleepers.filter(({ turns }) => turns <= 0);
    for (const sleeper of awake) this.sleepers.splice(this.sleepers.indexOf(sleeper), 1);
    for (const { doing, what, versions } of awake) {
      if (versions !== this.versions()) continue;
      this.world.tell(`The ${what} that slept wakes up and does the rest.`);
      try {
        while (doing.next().done !== true) this.world.look('ours');
      } catch (error) {
        if (!(error instanceof StepFailed)) throw error;
      }
      this.world.look('ours');
    }
  }

  private versions(): string {
    const { nodes, jwksVersion, record } = this.world;
    return `${nodes.map(({ version }) => version).join()}/${jwksVersion}/${JSON.stringify(record)}`;
  }

  private finish({ action }: Step | UndoStep, done: Done | void): void {
    if (!done) return;
    if (action.type === 'publishKey' || action.type === 'republishFormer') this.clock.begin('relyingParties', done.at);
    if (action.type === 'verify') this.clock.begin('drain', done.at);
    if (done.podTokenSince !== undefined) this.clock.begin('kubelet', done.podTokenSince);
  }
}

function stateOf({ nodes, jwks, staged, record, pod, secrets }: World): string {
  const disks = nodes.map(({ disk }) => Object.values(disk).map(Number).join(''));
  return JSON.stringify([disks, jwks, staged, record?.next, pod?.key, secrets.names()]);
}
