// One rotation under faults: each comes when the status says that its moment is there, and is mended when it was felt.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RotationHandle } from '../../src/cli/temporal.ts';
import type { AuditRecord } from '../../src/rotation/audit.ts';
import type { ProbeCounts } from '../../src/rotation/probe-counts.ts';
import type { RotationStatus } from '../../src/rotation/status.ts';
import { retryUpdate, rollBackUpdate } from '../../src/workflows/messages.ts';
import { readPublicJwks, rotate, snapshotNodes, type FileState } from '../integration/rotation-scene.ts';
import { DrivenRotation, POLL_MS } from './driven-rotation.ts';
import type { FaultScene } from './fault-scene.ts';
import { hasBegun, isDone, type Moment, type MomentName } from './moments.ts';
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

/** Several faults at one moment come together; each is mended when it was felt. */
export interface Injection {
  readonly moment: MomentName;
  readonly at: Moment;
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
  /** False where the node's API server manifest was not as before the step when the rotation asked for a person. */
  readonly isPutBack: boolean;
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

export type OnProgress = (result: InjectionResult) => void;

const TRIAL_MINUTES = 15;
const COUNTED = ['checks', 'rejected', 'unreachable'] as const;

export class Trial {
  readonly world: FaultScene;
  readonly plan: TrialPlan;
  readonly rotation: DrivenRotation;
  readonly results: InjectionResult[] = [];
  /** Codes of every hold, in order. */
  readonly holds: string[] = [];
  readonly notes: string[] = [];
  readonly #before: Before;
  readonly #probes: OutsideProbes;
  readonly #onProgress: OnProgress;
  readonly #giveUpAt = Date.now() + TRIAL_MINUTES * 60_000;
  #answered = '';
  /** Of the injection that came last, and of the last one with a worker whose judgement is wrong. */
  #heldHere: string[] = [];
  #heldByBlindness: string[] | undefined;

  static async begin(world: FaultScene, plan: TrialPlan, onProgress: OnProgress): Promise<Trial> {
    const { scene } = world;
    const before: Before = {
      files: new Map(await snapshotNodes(scene)),
      jwks: await readPublicJwks(scene),
      privatePem: await readFile(path.join(world.pkiOf('node-1'), 'sa.key'), 'utf8'),
      restarts: world.apiServerRestarts(),
      workersStarted: world.workersStarted,
    };
    const probes = await startOutsideProbes(scene);
    return new Trial(world, plan, before, probes, await rotate(scene), onProgress);
  }

  private constructor(
    world: FaultScene,
    plan: TrialPlan,
    before: Before,
    probes: OutsideProbes,
    handle: RotationHandle,
    onProgress: OnProgress,
  ) {
    this.world = world;
    this.plan = plan;
    this.#before = before;
    this.#probes = probes;
    this.rotation = new DrivenRotation(handle, this.#giveUpAt);
    this.#onProgress = onProgress;
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

  /** What another writer adds to a node's file stays: it belongs to how the rotation must leave it. */
  expectAddition(file: string, text: string): void {
    const was = this.#before.files.get(file);
    if (was !== undefined) this.#before.files.set(file, { ...was, content: was.content + text });
  }

  /** To the rotation's end. @throws what did not come, with the last status */
  async run(): Promise<AuditRecord> {
    try {
      for (const injection of this.plan.injections) await this.#inject(injection);
      await this.#until('the end', async () => this.rotation.hasEnded());
      return await this.rotation.result();
    } finally {
      await this.#probes.stop();
    }
  }

  async #inject(injection: Injection): Promise<void> {
    const moment = injection.at;
    const isEarly = injection.faults.some(({ comesBefore }) => comesBefore);
    const step = isEarly ? moment.before : moment.step;
    await this.#until(`the begin of ${step}`, async () => {
      const status = await this.rotation.status();
      return (status !== undefined && hasBegun(status, step)) || this.rotation.hasEnded();
    });
    if (await this.rotation.hasEnded()) throw new Error(`the rotation ended before ${step}`);
    const held: string[] = [];
    this.#heldHere = held;
    if (injection.faults.some(({ blindsWorker }) => blindsWorker)) this.#heldByBlindness = held;
    const manifest = path.join(this.world.manifestsOf(moment.node), 'kube-apiserver.yaml');
    const manifestBefore = await readFile(manifest, 'utf8');
    let isPutBack = true;
    const countsBefore = this.counts();
    const startedAt = Date.now();
    const bring = async (fault: FaultAtWork): Promise<void> => {
      try {
        await fault.begin();
        const isMet = async () => {
          const isFelt = await fault.isFelt().catch(() => false);
          return isFelt || (await this.rotation.isHeld()) || this.rotation.hasEnded();
        };
        const names = injection.faults.map(({ name }) => name).join(' and ');
        await this.#until(`that ${names} is felt`, isMet, 'a hold stays');
        if ((await this.rotation.status())?.held?.step === moment.step)
          isPutBack = (await readFile(manifest, 'utf8')) === manifestBefore;
      } finally {
        await fault.mend();
      }
    };
    // Each is mended when it was felt itself: what one keeps from coming, another may wait for.
    const brought = await Promise.allSettled(injection.faults.map((fault) => bring(fault.make(this, moment))));
    for (const each of brought) if (each.status === 'rejected') throw each.reason;
    if (await this.world.reviveWorker()) this.notes.push(`${injection.moment}: the worker ended and was started again`);
    const isLast = this.plan.injections.at(-1) === injection;
    if (isLast && this.plan.ending === 'back') await this.#rollBack();
    // Also where the step is done: it was met by the one that follows, and is none of the next fault's.
    else await this.#answerHold();
    await this.#until(`the end of ${moment.step}`, async () => {
      const status = await this.rotation.status();
      if (status === undefined) return this.rotation.hasEnded();
      return isDone(status, moment.step) || status.state === 'rolling-back' || status.state === 'ended';
    });
    const result: InjectionResult = {
      moment: injection.moment,
      faults: injection.faults.map(({ name }) => name),
      expected: expectationOf(injection),
      held,
      isPutBack,
      probes: countsSince(countsBefore, this.counts()),
      seconds: Math.round((Date.now() - startedAt) / 1000),
    };
    this.results.push(result);
    this.#onProgress(result);
  }

  /** Waits on a condition; a hold is answered meanwhile: what it was held by is mended. */
  async #until(what: string, isSo: () => Promise<boolean>, holds: 'are answered' | 'a hold stays' = 'are answered') {
    for (; Date.now() < this.#giveUpAt; await sleep(POLL_MS)) {
      if (await isSo().catch(() => false)) return;
      if (holds === 'are answered') await this.#answerHold();
    }
    throw new Error(`${what} did not come; last: ${JSON.stringify(await this.rotation.status(), null, 1)}`);
  }

  async #answerHold(): Promise<void> {
    const held = (await this.rotation.status())?.held;
    if (held == null || this.#answered === held.since) return;
    await this.rotation.decide(retryUpdate, 'what kept it was mended');
    this.#recordHold(held);
  }

  async #rollBack(): Promise<void> {
    const held = (await this.rotation.status())?.held;
    if (held != null) this.#recordHold(held);
    await this.rotation.decide(rollBackUpdate, 'a fault was enough');
  }

  #recordHold({ since, step, code, message }: NonNullable<RotationStatus['held']>): void {
    this.#answered = since;
    this.holds.push(code);
    // Probes hold before the next step only, when the next fault may have come.
    const held = code === 'TOKEN_REJECTED' ? (this.#heldByBlindness ?? this.#heldHere) : this.#heldHere;
    held.push(code);
    this.notes.push(`held at ${step}, ${code}: ${message.replaceAll(`${this.world.scene.directory}/`, '')}`);
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
