// What every step has in common: the lock is ours, the guards hold, progress is told by heartbeats, errors become failures.
import { activityInfo, cancellationSignal, heartbeat } from '@temporalio/activity';
import type { Holder } from '../cluster-lock/port.ts';
import { KeyturnError } from '../errors.ts';
import { isManaged, type ManagedPlatform, type StagedPlatform, type StepControl } from '../platforms/port.ts';
import { violations } from '../rotation/guards.ts';
import { lostMilestones } from '../rotation/lost-premises.ts';
import type { NodeLayout } from '../rotation/observation.ts';
import { knowsNext, type RecordWithNext, type RotationRecord } from '../rotation/record.ts';
import type { ClusterAdapters } from './cluster-adapters.ts';
import type { StepInput, StepResult } from './contract.ts';
import { toFailure } from './failure.ts';
import { gatherFacts } from './gather-facts.ts';
import type { MigrationContext } from './issuer-migration-steps.ts';
import { nextIsUnknown, notOfThisPlatform, recordIsGone } from './step-refusals.ts';

/** Well under the heartbeat timeout of the workflow's activity options. */
const HEARTBEAT_INTERVAL_MS = 4000;

/** What one step has at hand. */
export interface StepContext {
  readonly adapters: ClusterAdapters;
  readonly input: StepInput;
  readonly record: RecordWithNext;
  readonly control: StepControl;
  /** Stores the record with these changes, in the cluster. */
  saveRecord(change: Partial<RotationRecord>): Promise<void>;
  /** RFC 3339, now. */
  now(): string;
}

/** Of a step that changes one node. */
export interface NodeStepContext extends StepContext {
  readonly adapters: ClusterAdapters & { readonly platform: StagedPlatform };
}

/** Of a step on a platform that orders trust and signing itself: the new key may not be known yet. */
export interface ManagedStepContext extends Omit<StepContext, 'record'> {
  readonly adapters: ClusterAdapters & { readonly platform: ManagedPlatform };
  readonly record: RotationRecord;
  /** When the step was asked for first, ms since the epoch: a worker that takes it over goes on counting from here. */
  readonly askedAtMs: number;
}

export type StepOutcome = Omit<StepResult, 'at'> & { readonly at?: string };

export interface StepFrameOptions {
  readonly findCluster: (name: string) => Promise<ClusterAdapters>;
  readonly temporalClusterId: () => Promise<string>;
  readonly now: () => number;
}

export interface StepFrame {
  /** Runs `work` with heartbeats; errors come out as failures. */
  readonly attended: <T>(work: (control: StepControl) => Promise<T>) => Promise<T>;
  /** Makes the activity of a step. */
  readonly step: (perform: (context: StepContext) => Promise<StepOutcome>) => (input: StepInput) => Promise<StepResult>;
  /** The same for steps of a plan that changes nodes. */
  readonly nodeStep: (
    perform: (context: NodeStepContext) => Promise<StepOutcome>,
  ) => (input: StepInput) => Promise<StepResult>;
  /** The same for steps of a plan in which the platform orders trust and signing. */
  readonly managedStep: (
    perform: (context: ManagedStepContext) => Promise<StepOutcome>,
  ) => (input: StepInput) => Promise<StepResult>;
  /** The same for steps of a migration to another issuer, of which the Lease has no record. */
  readonly migrationStep: (
    perform: (context: MigrationContext) => Promise<StepOutcome>,
  ) => (input: StepInput) => Promise<StepResult>;
  readonly holder: () => Promise<Holder>;
  /** @throws GUARD_FAILED */
  readonly demand: (adapters: ClusterAdapters, input: StepInput, record: RotationRecord) => Promise<void>;
}

export function createStepFrame({ findCluster, temporalClusterId, now }: StepFrameOptions): StepFrame {
  const timestamp = () => new Date(now()).toISOString();

  async function holder(): Promise<Holder> {
    const { namespace, workflowExecution } = activityInfo();
    if (workflowExecution === undefined) throw new Error('steps run inside a workflow only');
    return {
      temporalClusterId: await temporalClusterId(),
      namespace,
      workflowId: workflowExecution.workflowId,
      runId: workflowExecution.runId,
    };
  }

  async function attended<T>(work: (control: StepControl) => Promise<T>): Promise<T> {
    let progress: string | undefined;
    const beat = () => heartbeat(progress);
    const timer = setInterval(beat, HEARTBEAT_INTERVAL_MS);
    const report = (words: string) => {
      if (words === progress) return;
      progress = words;
      beat();
    };
    try {
      return await work({ signal: cancellationSignal(), report });
    } catch (error) {
      throw toFailure(error);
    } finally {
      clearInterval(timer);
    }
  }

  type AnyContext = Omit<StepContext, 'record'> & { readonly record: RotationRecord };

  function anyStep(perform: (context: AnyContext) => Promise<StepOutcome>) {
    return (input: StepInput): Promise<StepResult> =>
      attended(async (control) => {
        const adapters = await findCluster(input.cluster);
        const us = await holder();
        adapters.nodeAgents?.workFor(`rotation-${input.rotationId}`);
        await adapters.lock.confirm(us);
        let record = (await adapters.lock.read()).record;
        if (record?.rotationId !== input.rotationId) throw recordIsGone(input, record);
        await checkGuards(adapters, input, record, { nowMs: now(), us });
        const context: AnyContext = {
          adapters,
          input,
          record,
          control,
          now: timestamp,
          saveRecord: async (change) => {
            record = { ...record, ...change } as RotationRecord;
            await adapters.lock.save(us, record);
          },
        };
        const outcome = await perform(context);
        return { ...outcome, at: outcome.at ?? timestamp() };
      });
  }

  const step: StepFrame['step'] = (perform) =>
    anyStep((context) => {
      const { record } = context;
      if (!knowsNext(record)) throw nextIsUnknown(context.input);
      return perform({ ...context, record });
    });

  const nodeStep: StepFrame['nodeStep'] = (perform) =>
    step((context) => {
      const { platform } = context.adapters;
      if (isManaged(platform)) throw notOfThisPlatform(context.input);
      return perform({ ...context, adapters: { ...context.adapters, platform } });
    });

  const managedStep: StepFrame['managedStep'] = (perform) =>
    anyStep((context) => {
      const { platform } = context.adapters;
      if (!isManaged(platform)) throw notOfThisPlatform(context.input);
      const askedAtMs = activityInfo().scheduledTimestampMs;
      return perform({ ...context, adapters: { ...context.adapters, platform }, askedAtMs });
    });

  const migrationStep: StepFrame['migrationStep'] = (perform) => (input) =>
    attended(async (control) => {
      const adapters = await findCluster(input.cluster);
      await adapters.lock.confirm(await holder());
      const { platform } = adapters;
      const { migration } = input;
      if (!isManaged(platform) || platform.issuers === undefined || migration === undefined)
        throw notOfThisPlatform(input);
      const askedAtMs = activityInfo().scheduledTimestampMs;
      const { issuers } = platform;
      const reached = { ...adapters, platform };
      const outcome = await perform({
        adapters: reached,
        input,
        control,
        askedAtMs,
        migration,
        issuers,
        now: timestamp,
      });
      return { ...outcome, at: outcome.at ?? timestamp() };
    });

  return {
    attended,
    step,
    nodeStep,
    managedStep,
    migrationStep,
    holder,
    demand: async (adapters, input, record) =>
      checkGuards(adapters, input, record, { nowMs: now(), us: await holder() }),
  };
}

/** @throws GUARD_FAILED with every guard that does not hold; retryable where time alone may mend all of them */
async function checkGuards(
  adapters: ClusterAdapters,
  input: StepInput,
  record: RotationRecord,
  { nowMs, us }: { readonly nowMs: number; readonly us: Holder },
): Promise<void> {
  if (input.guards.length === 0) return;
  const facts = await gatherFacts(adapters, input, record, nowMs);
  const failed = violations(input.guards, facts);
  if (failed.length === 0) return;
  const names = failed.filter(({ transient }) => !transient).map(({ guard }) => guard);
  const lost = lostMilestones(names, record.milestones, new Date(nowMs).toISOString(), adapters.publisher.publishes);
  if (Object.keys(lost).length > 0) {
    await adapters.lock.save(us, { ...record, milestones: { ...record.milestones, ...lost } });
  }
  throw new KeyturnError('GUARD_FAILED', `The step may not start: ${failed.map(({ reason }) => reason).join('; ')}`, {
    subject: input.node ?? input.cluster,
    remedy: 'Nothing was changed by this step. Mend what is named, then retry; or roll back',
    retryable: failed.every(({ transient }) => transient),
    details: { guards: failed.map(({ guard }) => guard) },
  });
}

/** The layout of the step's node, as it was before the rotation. */
export function layoutOf({ input, record }: StepContext): NodeLayout {
  const layout = record.layouts.find(({ node }) => node === input.node);
  if (layout !== undefined) return layout;
  throw new KeyturnError('NODE_UNREACHABLE', `The rotation knows no node "${input.node ?? ''}"`, {
    subject: input.node ?? input.cluster,
    remedy: 'It joined after Preflight: roll back, then start again',
  });
}
