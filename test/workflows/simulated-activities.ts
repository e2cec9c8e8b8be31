// Activities without a cluster: they do to the simulated cluster what the real ones do to a real one, under the same guards and invariants.
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type {
  Preflight,
  RotationActivities,
  RotationInput,
  StepInput,
  StepResult,
} from '../../src/activities/contract.ts';
import type { AuditRecord } from '../../src/rotation/audit.ts';
import type { Notification } from '../../src/rotation/notification.ts';
import type { Action, Plan } from '../../src/rotation/plan.ts';
import type { ProbeCounts } from '../../src/rotation/probe-counts.ts';
import { canStillRollBack, stepsDoneBefore } from '../../src/rotation/take-up.ts';
import { DEFAULT_LIFETIMES, drainOf, FORMER, NEXT, planOf } from '../rotation/observed-cluster.ts';
import { SimulatedCluster, Stopped } from '../rotation/simulated-cluster.ts';

type Ready = Extract<Preflight, { outcome: 'ready' }>;

/** What goes wrong at the next call of an activity, e.g. of `trust/node-2` or `publishKey`. */
export type Fault =
  | {
      readonly fault: 'fails';
      readonly code: string;
      readonly message?: string;
      readonly retryable?: boolean;
      /** Of GUARD_FAILED. */
      readonly guards?: readonly string[];
    }
  /** Runs until it is cancelled or released, and then does its work all the same, as an activity that cannot stop half way. */
  | { readonly fault: 'completes though cancelled' }
  /** Runs until it is cancelled, and then stops without having done anything. */
  | { readonly fault: 'stops when cancelled' };

export interface WorldOptions {
  readonly nodes?: readonly string[];
  readonly preflight?: Partial<Ready>;
  readonly plan?: Plan;
  /** Already so far when the run starts. */
  readonly cluster?: SimulatedCluster;
  /** How far the worker's clock is ahead of the server's, in ms; negative where it is behind. Default 0. */
  readonly workerClockMs?: number;
}

const HEARTBEAT_TIMEOUT_MS = 20_000;

export class SimulatedWorld {
  readonly plan: Plan;
  readonly cluster: SimulatedCluster;
  /** Activities that were done, in order: `trust/node-1`, `publishKey`. */
  readonly done: string[] = [];
  readonly inputs: RotationInput[] = [];
  readonly audits: AuditRecord[] = [];
  /** As they were delivered. */
  readonly notifications: Notification[] = [];
  /** Answers in place of the usual one. */
  preflightAnswer: Preflight | null = null;
  probing = 0;
  /** The worker dies when probes are asked to end, once: their answer comes after their time-out. */
  losesEndingProbes = false;
  /** Makes running probes fail. */
  rejectToken: (() => void) | null = null;
  /** As of activities that hang. */
  readonly hanging: string[] = [];
  private readonly release = new Map<string, () => void>();
  private readonly faults = new Map<string, Fault[]>();
  private readonly options: WorldOptions;
  private readonly nowMs: () => Promise<number>;

  constructor(nowMs: () => Promise<number>, options: WorldOptions = {}) {
    this.nowMs = nowMs;
    this.options = options;
    // Time is not skipped while an activity runs, and probes run during this wait: it is short where a test says nothing else.
    this.plan = options.plan ?? planOf(options.nodes, drainOf({ policy: 'refreshing' }), 200);
    this.cluster = options.cluster ?? new SimulatedCluster(this.plan, 0);
  }

  inject(call: string, ...faults: readonly Fault[]): void {
    this.faults.set(call, [...(this.faults.get(call) ?? []), ...faults]);
  }

  letGo(call: string): void {
    this.release.get(call)?.();
  }

  activities(): RotationActivities {
    const step = (type: Exclude<Action['type'], 'wait'>) => (input: StepInput) => this.perform(type, input);
    return {
      preflight: (input) => this.preflight(input),
      checkGuards: (input) => this.perform('checkGuards', input),
      notify: async (notification) => {
        await this.stumble('notify');
        this.notifications.push(notification);
      },
      probeTokens: () => this.probe(),
      conclude: async ({ audit }) => {
        await this.stumble('conclude');
        this.audits.push(audit);
        this.done.push('conclude');
      },
      prepareIssuerMigration: (input) => this.preflight(input),
      publishIssuer: step('publishIssuer'),
      acceptIssuer: step('acceptIssuer'),
      switchIssuer: step('switchIssuer'),
      switchIssuerBack: step('switchIssuerBack'),
      verifyIssuer: step('verifyIssuer'),
      recreateTokenSecrets: step('recreateTokenSecrets'),
      lookForFormerTokens: step('lookForFormerTokens'),
      forgetFormerIssuer: step('forgetFormerIssuer'),
      forgetNewIssuer: step('forgetNewIssuer'),
      stageKey: step('stageKey'),
      discardKey: step('discardKey'),
      recordRotation: step('recordRotation'),
      beginRotation: step('beginRotation'),
      followRotation: step('followRotation'),
      takeBackRotation: step('takeBackRotation'),
      forgetNext: step('forgetNext'),
      forgetFormer: step('forgetFormer'),
      backUp: step('backUp'),
      removeBackUp: step('removeBackUp'),
      publishKey: step('publishKey'),
      withdrawKey: step('withdrawKey'),
      trust: step('trust'),
      distrust: step('distrust'),
      sign: step('sign'),
      signWithFormer: step('signWithFormer'),
      switchControllerManager: step('switchControllerManager'),
      restoreControllerManager: step('restoreControllerManager'),
      releaseNodes: step('releaseNodes'),
      verify: step('verify'),
      startProbePod: step('startProbePod'),
      removeProbePod: step('removeProbePod'),
      verifyWithPod: step('verifyWithPod'),
      provePodRefresh: step('provePodRefresh'),
      refresh: step('refresh'),
      restoreLegacyTokens: step('restoreLegacyTokens'),
      settleLegacyTokens: step('settleLegacyTokens'),
      restartWorkload: step('restartWorkload'),
      pruneKey: step('pruneKey'),
      republishFormer: step('republishFormer'),
      untrust: step('untrust'),
      settleControllerManager: step('settleControllerManager'),
      retire: step('retire'),
    };
  }

  private async preflight(input: RotationInput): Promise<Preflight> {
    this.inputs.push(input);
    await this.stumble('preflight');
    if (this.preflightAnswer !== null) return this.preflightAnswer;
    const { milestones } = this.cluster;
    const takenUp = Object.keys(milestones).length > 0;
    return {
      outcome: 'ready',
      cluster: input.cluster ?? 'the-only-one',
      rotationId: 'abc',
      plan: this.plan,
      gates: input.gates ?? [],
      policies: { allowSingleApiServer: this.plan.nodes.length === 1, legacyTokens: 'hold' },
      tokenLifetimes: DEFAULT_LIFETIMES,
      former: { kid: FORMER.kid, alg: FORMER.alg },
      keyVersion: 2,
      doneBefore: stepsDoneBefore(this.plan, milestones),
      takenUp,
      next: takenUp ? NEXT : null,
      publishedAt: milestones.publishedAt ?? null,
      verifiedAt: milestones.verifiedAt ?? null,
      canRollBack: canStillRollBack(this.plan, milestones),
      startedBy: 'a test',
      warnings: ['a warning'],
      // The time-skipping server knows no search attributes.
      searchable: false,
      ...this.options.preflight,
    };
  }

  private async perform(type: Exclude<Action['type'], 'wait'> | 'checkGuards', input: StepInput): Promise<StepResult> {
    const call = input.node === null ? type : `${type}/${input.node}`;
    await this.stumble(call);
    const { cluster } = this;
    cluster.nowMs = await this.nowMs();
    const waits = Object.fromEntries(Object.entries(input.waitEnds).map(([wait, end]) => [wait, Date.parse(end)]));
    const action = (input.node === null ? { type } : { type, node: input.node }) as Exclude<Action, { type: 'wait' }>;
    try {
      cluster.demand(input.guards, action, waits);
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
      throw ApplicationFailure.create({ type: 'GUARD_FAILED', message: error.message, nonRetryable: !error.transient });
    }
    // Harm is a defect: it is thrown as it is, and fails the test by its message in what is held.
    if (type !== 'checkGuards') {
      try {
        cluster.act(action, waits);
      } catch (error) {
        if (error instanceof Stopped) throw ApplicationFailure.nonRetryable(error.message, 'TOKEN_NOT_REFRESHED');
        throw ApplicationFailure.nonRetryable(String(error), 'HARM');
      }
    }
    this.done.push(call);
    const podTokenSince = type === 'verifyWithPod' ? cluster.podTokenSince() : null;
    const { publishedAt } = cluster.milestones;
    const at = { publishKey: cluster.milestones.publishedAt, verify: cluster.milestones.verifiedAt }[type as 'verify'];
    return {
      changed: true,
      proof: `${call} was seen`,
      at: this.byWorkersClock(at ?? new Date(cluster.nowMs).toISOString()),
      ...(type === 'stageKey' || type === 'followRotation' ? { next: NEXT } : {}),
      ...(type === 'followRotation' && publishedAt !== undefined ? { publishedAt, publicationGapMs: 4200 } : {}),
      ...(podTokenSince === null ? {} : { podTokenSince }),
      ...(['trust', 'sign', 'untrust'].includes(type) ? { restartMs: 1234 } : {}),
    };
  }

  private byWorkersClock(at: string): string {
    return new Date(Date.parse(at) + (this.options.workerClockMs ?? 0)).toISOString();
  }

  private async stumble(call: string): Promise<void> {
    const fault = this.faults.get(call)?.shift();
    if (fault === undefined) return;
    if (fault.fault === 'fails') {
      const { code, message = `${call} failed on purpose`, retryable = false, guards } = fault;
      const details = guards === undefined ? [] : [{ guards }];
      throw ApplicationFailure.create({ type: code, message, nonRetryable: !retryable, details });
    }
    const cancelled = await this.hang(call);
    if (fault.fault === 'stops when cancelled' && cancelled !== null) throw cancelled;
  }

  /** Null where it was released. */
  private async hang(call: string): Promise<Error | null> {
    const context = Context.current();
    const beat = setInterval(() => context.heartbeat(), 50);
    this.hanging.push(call);
    try {
      return await Promise.race([
        new Promise<null>((resolve) => this.release.set(call, () => resolve(null))),
        context.cancelled.catch((error: unknown) => error as Error),
      ]);
    } finally {
      clearInterval(beat);
      this.hanging.splice(this.hanging.indexOf(call), 1);
    }
  }

  private async probe(): Promise<ProbeCounts> {
    const context = Context.current();
    const beat = setInterval(() => context.heartbeat(countsOf(0)), 50);
    this.probing += 1;
    try {
      return await Promise.race([
        context.cancelled.catch(async () => {
          if (this.losesEndingProbes) {
            this.losesEndingProbes = false;
            clearInterval(beat);
            await sleep(HEARTBEAT_TIMEOUT_MS + 1000);
          }
          return countsOf(0);
        }),
        new Promise<never>((_, reject) => {
          this.rejectToken = () =>
            reject(
              ApplicationFailure.create({
                type: 'TOKEN_REJECTED',
                message: 'node-2 rejected a token of node-1',
                nonRetryable: true,
                details: [{ subject: 'node-2', remedy: 'Look.' }, countsOf(1)],
              }),
            );
        }),
      ]);
    } finally {
      clearInterval(beat);
      this.probing -= 1;
      this.rejectToken = null;
    }
  }
}

function countsOf(rejected: number): ProbeCounts {
  const at = '2026-01-01T00:00:00.000Z';
  const rejection = { at, mintedBy: 'node-1', kid: 'next-kid', askedOf: 'node-2', reason: 'invalid signature' };
  return {
    startedAt: at,
    endedAt: at,
    checks: 10,
    accepted: 10 - rejected,
    rejected,
    unreachable: 0,
    byParty: { 'node-2': { checks: 10, rejected, unreachable: 0 } },
    acceptedByKid: { 'former-kid': 10 - rejected },
    rejections: rejected === 0 ? [] : [rejection],
  };
}
