// One rotation from its start to its end, whatever happens, with everything that is asked of that end.
import type { Capabilities } from '../../src/rotation/capabilities.ts';
import { computeDrain } from '../../src/rotation/drain.ts';
import { makePlan } from '../../src/rotation/make-plan.ts';
import type { Plan } from '../../src/rotation/plan.ts';
import type { ProbePodPlan } from '../../src/rotation/probe-pod-plan.ts';
import { rollBackSteps } from '../../src/rotation/roll-back.ts';
import type { Sleeper } from './attempts.ts';
import { endingProblem } from './ending.ts';
import { crash, meddle, type What } from './happenings.ts';
import { Harm } from './harm.ts';
import { Killed, Run, type Ending, type RunOptions } from './run.ts';
import { WORKER_SKEW_MS, type Scenario } from './scenario.ts';
import { World } from './world.ts';

export interface Outcome {
  /** The invariant that was broken; null where nobody was harmed. */
  readonly harm: string | null;
  readonly ending: Ending | null;
  /** What happened, in sentences; empty unless it was asked for. */
  readonly story: readonly string[];
  /** After which the invariants were looked at. */
  readonly events: number;
  /** In which turn each step was begun first. */
  readonly turns: ReadonlyMap<string, number>;
}

export interface Variation {
  /** Of the plan that the product makes. */
  readonly plan?: (plan: Plan) => Plan;
  /** In place of the product's. */
  readonly rollBack?: RunOptions['rollBack'];
}

/** As OpenShift declares. */
const HANDED_OVER: Capabilities = {
  ordering: 'managed',
  newKey: 'supplied',
  publishing: 'ours',
  formerKey: 'kept-until-told',
  rollBack: true,
  pause: true,
  apiServers: 'each',
};
const PROBE_POD: ProbePodPlan = { tokenLifetimeMs: 3_600_000, awaitRefresh: true };
const LIFETIMES = { maxTokenExpirationMs: null, extendTokenExpiration: true };
/** No story is so long. */
const MAX_TURNS = 3000;

/** The product's own plan for this scenario. */
export function planFor(scenario: Scenario, joined: readonly string[] = []): Plan {
  const drain = computeDrain(scenario.drain, LIFETIMES);
  if ('refused' in drain) throw new Error(drain.refused);
  return makePlan({
    capabilities:
      scenario.platform === 'handed-over'
        ? HANDED_OVER
        : { ordering: 'staged', rollBack: true, nodeAgents: scenario.nodeAgents },
    nodes: [...Array.from({ length: scenario.nodes }, (_, index) => `node-${index + 1}`), ...joined],
    ...(scenario.platform === 'served' ? { publishing: 'by-trusting' as const } : {}),
    relyingPartyCacheMs: scenario.cacheMs,
    drain,
    probePod: scenario.probePod ? PROBE_POD : null,
    restarts: scenario.restarts ? [{ namespace: 'default', kind: 'Deployment', name: 'app' }] : [],
  });
}

export function simulate(scenario: Scenario, variation: Variation = {}, withStory = false): Outcome {
  const story: string[] = [];
  const simulation = new Simulation(scenario, variation, withStory ? story : null);
  try {
    const ending = simulation.go();
    return { harm: null, ending, story, events: simulation.world.events, turns: simulation.turns };
  } catch (error) {
    if (!(error instanceof Harm)) throw error;
    const { turns, world } = simulation;
    return { harm: error.message, ending: null, story, events: world.events, turns };
  }
}

class Simulation {
  readonly world: World;
  private readonly scenario: Scenario;
  private readonly variation: Variation;
  private readonly sleepers: Sleeper[] = [];
  readonly turns = new Map<string, number>();
  private turn = 0;
  private runs = 0;

  constructor(scenario: Scenario, variation: Variation, story: string[] | null) {
    this.scenario = scenario;
    this.variation = variation;
    this.world = new World({
      nodes: planFor(scenario).nodes,
      // What the operator says must be true of the slowest relying party, however much the clocks of two workers differ.
      cacheMs: scenario.cacheMs - 2 * WORKER_SKEW_MS,
      drain: scenario.drain,
      secrets: scenario.secrets,
      slowClient: scenario.slowClient,
      probePod: scenario.probePod ? PROBE_POD : null,
      restartMs: scenario.restartMs,
      // Where a platform orders everything, it brings its nodes their keys, too.
      nodesJoin: scenario.platform !== 'handed-over',
      served: scenario.platform === 'served',
      story,
    });
    this.world.workerSkewMs = scenario.workerSkewMs;
  }

  go(): Ending {
    const { world } = this;
    for (;;) {
      this.runs += 1;
      world.holder = this.runs;
      const run = new Run({
        world,
        plan: this.plan(),
        rollBack: this.variation.rollBack ?? rollBackSteps,
        gates: this.scenario.gates,
        begin: (id) => this.turns.set(id, this.turns.get(id) ?? this.turn),
        nextTurn: () => this.nextTurn(),
        happen: (what) => this.happen(what),
        sleepers: this.sleepers,
      });
      try {
        const ending = run.go();
        this.conclude(run, ending);
        return ending;
      } catch (error) {
        if (!(error instanceof Killed)) throw error;
        world.tell('The run is killed. Another one takes the rotation up.');
        // The next one is started with the configured drain.
        world.promise(this.scenario.drain);
        // Agents end by themselves when nobody comes back to them.
        for (const node of world.nodes) node.hasAgent = false;
        // Preflight waits for an API server that the former run left restarting.
        world.advance(this.scenario.restartMs);
      }
    }
  }

  private plan(): Plan {
    const { scenario, variation, world } = this;
    world.knowEveryNode();
    const plan = planFor(
      scenario,
      world.nodes.slice(scenario.nodes).map(({ name }) => name),
    );
    return variation.plan?.(plan) ?? plan;
  }

  /** @throws Harm */
  private conclude(run: Run, ending: Ending): void {
    const { world, scenario } = this;
    if (run.holds > 0 && this.isQuiet()) throw new Harm('it is held, though nothing is wrong');
    if (ending === 'given up') {
      const hasReason = scenario.happenings.some(({ what }) => what.kind === 'meddling');
      if (!hasReason) throw new Harm('it comes to no end, though nobody else has changed anything');
      return;
    }
    world.pod = null;
    for (const node of world.nodes) node.hasAgent = false;
    world.holder = null;
    const problem = endingProblem(world, ending, scenario);
    if (problem !== null) throw new Harm(`${ending}, but ${problem}`);
  }

  /** Nothing happens that could be a reason to hold: people decide, and another rotation is started. */
  private isQuiet(): boolean {
    const { happenings, slowClient, secrets } = this.scenario;
    const harmless = ['decision', 'changeDrain', 'another rotation is started', 'worker'];
    const nobodyNeedsIt = secrets.every(({ used, policy }) => !used || policy === 'keep');
    return !slowClient && nobodyNeedsIt && happenings.every(({ what }) => harmless.includes(what.kind));
  }

  private nextTurn(): readonly What[] {
    const { turn } = this;
    this.turn += 1;
    if (turn > MAX_TURNS) throw new Harm('it goes on for ever');
    return this.scenario.happenings.filter((each) => each.turn === turn).map(({ what }) => what);
  }

  private happen(what: What): void {
    const { world } = this;
    switch (what.kind) {
      case 'crash':
        return crash(world, what.node, what.component);
      case 'meddling':
        return meddle(world, what.meddling, what.node);
      case 'worker':
        world.tell(`Another worker goes on, whose clock is off by ${what.skewMs} ms.`);
        world.workerSkewMs = what.skewMs;
        return undefined;
      case 'another rotation is started':
        world.tell('Another rotation of the cluster is started: it ends at once, since the Lease names this one.');
        if (world.holder !== this.runs) throw new Harm('invariant 7: nobody holds the cluster while it is changed');
        return undefined;
      default:
        return undefined;
    }
  }
}
