// One rotation under faults: each comes when the status says that its moment is there, and is mended when it was felt.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RotationHandle } from '../../src/cli/temporal.ts';
import type { AuditRecord } from '../../src/rotation/audit.ts';
import type { ProbeCounts } from '../../src/rotation/probe-counts.ts';
import type { RotationStatus } from '../../src/rotation/status.ts';
import { pauseUpdate, resumeUpdate, retryUpdate, rollBackUpdate, statusQuery } from '../../src/workflows/messages.ts';
import { readPublicJwks, rotate, snapshotNodes, type FileState } from '../integration/rotation-scene.ts';
import type { FaultScene } from './fault-scene.ts';
import { hasBegun, isDone, MOMENTS, type Moment, type MomentName } from './moments.ts';
import { startOutsideProbes, type OutsideProbes } from './outside-probes.ts';

/** What a fault does to one rotation. Made anew for each time that it comes. */
export interface FaultAtWork {
  begin(): Promise<void>;
  /** Whether the rotation, or who looks from outside, has met it: then it is mended. */
  isFelt(): Promise<boolean>;
  mend(): Promise<void>;
}

export interface Fault {
  readonly name: string;
  /** How it is done, for the report. */
  readonly how: string;
  /** Where it is tried: whether the rotation goes on by itself then, holds for a person, or may do either. */
  readonly expected: Readonly<Partial<Record<MomentName, Expectation>>>;
  /** It must be there when the step begins. Default false: it comes while the step runs. */
  readonly comesBefore?: true;
  /** It lasts to the end of the rotation, so that nothing can come after it. */
  readonly lasts?: true;
  /** The worker's own judgement of tokens is wrong by its nature: only the probes outside count. */
  readonly blindsWorker?: true;
  /** False where this machine cannot do it. Default: it can. */
  readonly isPossible?: (world: FaultScene) => Promise<boolean>;
  readonly make: (trial: Trial, moment: Moment) => FaultAtWork;
}

export type Expectation = 'goes on' | 'holds' | 'either';

/** Several faults at one moment come together and are mended together. */
export interface Injection {
  readonly moment: MomentName;
  readonly faults: readonly Fault[];
}

export interface TrialPlan {
  readonly injections: readonly Injection[];
  /** `back`: an operator rolls back once the last fault was felt. */
  readonly ending: 'forward' | 'back';
}

export interface InjectionResult {
  readonly moment: MomentName;
  readonly faults: readonly string[];
  readonly expected: Expectation;
  /** Codes with which the rotation was held until the next injection. */
  readonly held: readonly string[];
  readonly probes: { readonly checks: number; readonly rejected: number; readonly unreachable: number };
  readonly seconds: number;
}

/** How it was before the rotation, as far as others did not change it meanwhile. */
export interface Before {
  readonly files: Map<string, FileState>;
  readonly jwks: Awaited<ReturnType<typeof readPublicJwks>>;
  readonly privatePem: string;
  readonly restarts: number;
  readonly workersStarted: number;
}

const TRIAL_MINUTES = 18;
const POLL_MS = 50;
const COUNTED = ['checks', 'rejected', 'unreachable'] as const;

export class Trial {
  readonly world: FaultScene;
  readonly plan: TrialPlan;
  readonly results: InjectionResult[] = [];
  /** Codes of every hold, in order. */
  readonly holds: string[] = [];
  readonly notes: string[] = [];
  readonly #before: Before;
  readonly #probes: OutsideProbes;
  readonly #handle: RotationHandle;
  readonly #giveUpAt = Date.now() + TRIAL_MINUTES * 60_000;
  #answered = '';

  static async begin(world: FaultScene, plan: TrialPlan): Promise<Trial> {
    const { scene } = world;
    const before: Before = {
      files: new Map(await snapshotNodes(scene)),
      jwks: await readPublicJwks(scene),
      privatePem: await readFile(path.join(world.pkiOf('node-1'), 'sa.key'), 'utf8'),
      restarts: world.apiServerRestarts(),
      workersStarted: world.workersStarted,
    };
    const probes = await startOutsideProbes(scene);
    return new Trial(world, plan, before, probes, await rotate(scene));
  }

  private constructor(
    world: FaultScene,
    plan: TrialPlan,
    before: Before,
    probes: OutsideProbes,
    handle: RotationHandle,
  ) {
    this.world = world;
    this.plan = plan;
    this.#before = before;
    this.#probes = probes;
    this.#handle = handle;
  }

  get before(): Before {
    return this.#before;
  }

  counts(): ProbeCounts | null {
    return this.#probes.counts();
  }

  get probeRestarts(): readonly string[] {
    return this.#probes.restarts;
  }

  /** Undefined while nobody answers. */
  async status(): Promise<RotationStatus | undefined> {
    return this.#handle.query(statusQuery).catch(() => undefined);
  }

  /** Codes of the last failures of what is tried again just now. */
  async pendingFailures(): Promise<readonly string[]> {
    const { raw } = await this.#handle.describe();
    return (raw.pendingActivities ?? []).flatMap(({ lastFailure }) => {
      const code = lastFailure?.applicationFailureInfo?.type ?? lastFailure?.timeoutFailureInfo?.timeoutType;
      return code == null ? [] : [String(code)];
    });
  }

  /** Which version of the worker did the last workflow task; undefined where versions are off. */
  async buildId(): Promise<string | undefined> {
    const { raw } = await this.#handle.describe();
    return raw.workflowExecutionInfo?.versioningInfo?.deploymentVersion?.buildId ?? undefined;
  }

  /** Before the next step. */
  async pause(): Promise<void> {
    await this.#handle.executeUpdate(pauseUpdate, { args: [{ reason: 'a fault is to come' }] });
  }

  async resume(): Promise<void> {
    await this.#handle.executeUpdate(resumeUpdate, { args: [{ reason: 'the fault is over' }] });
  }

  /** What another writer adds to a node's file stays: it belongs to how the rotation must leave it. */
  expectAddition(file: string, text: string): void {
    const was = this.#before.files.get(file);
    if (was !== undefined) this.#before.files.set(file, { ...was, content: was.content + text });
  }

  /** To the rotation's end. @throws what did not come, with the last status */
  async run(): Promise<AuditRecord> {
    try {
      for (const injection of this.plan.injections) await this.#inject(injection);
      await this.#until('the end', async () => this.#hasEnded());
      return await this.#handle.result();
    } finally {
      await this.#probes.stop();
    }
  }

  async #inject(injection: Injection): Promise<void> {
    const moment: Moment = MOMENTS[injection.moment];
    const isEarly = injection.faults.some(({ comesBefore }) => comesBefore);
    const step = isEarly ? moment.before : moment.step;
    await this.#until(`the begin of ${step}`, async () => {
      const status = await this.status();
      return status !== undefined && hasBegun(status, step);
    });
    const heldBefore = this.holds.length;
    const countsBefore = this.counts();
    const startedAt = Date.now();
    const atWork = injection.faults.map((fault) => fault.make(this, moment));
    try {
      for (const fault of atWork) await fault.begin();
      const isMet = async (fault: FaultAtWork) => {
        const isFelt = await fault.isFelt().catch(() => false);
        return isFelt || (await this.#isHeld()) || this.#hasEnded();
      };
      const names = injection.faults.map(({ name }) => name).join(' and ');
      for (const fault of atWork) await this.#until(`that ${names} is felt`, () => isMet(fault), 'a hold stays');
    } finally {
      for (const fault of atWork) await fault.mend();
    }
    if (await this.world.reviveWorker()) this.notes.push(`${injection.moment}: the worker ended and was started again`);
    const isLast = this.plan.injections.at(-1) === injection;
    if (isLast && this.plan.ending === 'back') await this.#rollBack();
    await this.#until(`the end of ${moment.step}`, async () => {
      const status = await this.status();
      if (status === undefined) return this.#hasEnded();
      return isDone(status, moment.step) || status.state === 'rolling-back' || status.state === 'ended';
    });
    this.results.push({
      moment: injection.moment,
      faults: injection.faults.map(({ name }) => name),
      expected: expectationOf(injection),
      held: this.holds.slice(heldBefore),
      probes: countsSince(countsBefore, this.counts()),
      seconds: Math.round((Date.now() - startedAt) / 1000),
    });
  }

  /** Waits on a condition; a hold is answered meanwhile: what it was held by is mended. */
  async #until(what: string, isSo: () => Promise<boolean>, holds: 'are answered' | 'a hold stays' = 'are answered') {
    for (; Date.now() < this.#giveUpAt; await sleep(POLL_MS)) {
      if (await isSo().catch(() => false)) return;
      if (holds === 'are answered') await this.#answerHold();
    }
    throw new Error(`${what} did not come; last: ${JSON.stringify(await this.status(), null, 1)}`);
  }

  async #isHeld(): Promise<boolean> {
    return (await this.status())?.state === 'held';
  }

  async #hasEnded(): Promise<boolean> {
    return (await this.#handle.describe()).status.name !== 'RUNNING';
  }

  async #answerHold(): Promise<void> {
    const held = (await this.status())?.held;
    if (held == null || this.#answered === held.since) return;
    await this.#handle.executeUpdate(retryUpdate, { args: [{ reason: 'what kept it was mended' }] });
    this.#answered = held.since;
    this.holds.push(held.code);
  }

  async #rollBack(): Promise<void> {
    const held = (await this.status())?.held;
    if (held != null) {
      this.#answered = held.since;
      this.holds.push(held.code);
    }
    await this.#handle.executeUpdate(rollBackUpdate, { args: [{ reason: 'a fault was enough' }] });
  }
}

/** Of several at once the worst is expected. */
function expectationOf({ faults, moment }: Injection): Expectation {
  const all = faults.map(({ expected }) => expected[moment] ?? 'either');
  if (faults.length > 1 && all.includes('holds')) return 'either';
  return all.find((each) => each !== 'goes on') ?? 'goes on';
}

function countsSince(before: ProbeCounts | null, after: ProbeCounts | null): InjectionResult['probes'] {
  const [checks = 0, rejected = 0, unreachable = 0] = COUNTED.map(
    (what) => (after?.[what] ?? 0) - (before?.[what] ?? 0),
  );
  return { checks, rejected, unreachable };
}
