// Runs the real workflow with simulated activities, under Temporal's time-skipping server or one that was started already.
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import type { WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import {
  bundleWorkflowCode,
  DefaultLogger,
  Runtime,
  Worker,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import type { DataConverter } from '@temporalio/common';
import type { RotationInput } from '../../src/activities/contract.ts';
import { catalog } from '../../src/demo/components/catalog.ts';
import { getComponent } from '../../src/demo/components/get-component.ts';
import type { RotationStatus } from '../../src/rotation/status.ts';
import { statusQuery } from '../../src/workflows/messages.ts';
import type { rotateSigningKey } from '../../src/workflows/rotate-signing-key.ts';
import { SimulatedWorld, type WorldOptions } from './simulated-activities.ts';

export type RotationHandle = WorkflowHandleWithFirstExecutionRunId<typeof rotateSigningKey>;

/** What a test does with a run; the worker goes on until it returns. */
export interface RunningRotation {
  readonly handle: RotationHandle;
  readonly world: SimulatedWorld;
  status(): Promise<RotationStatus>;
  /** Asks until it is so, in real time. @throws after 20 s with the last status */
  until(isSo: (status: RotationStatus) => boolean): Promise<RotationStatus>;
}

export class RotationHarness {
  readonly env: TestWorkflowEnvironment;
  private readonly workflowBundle: WorkflowBundleWithSourceMap;

  private constructor(env: TestWorkflowEnvironment, workflowBundle: WorkflowBundleWithSourceMap) {
    this.env = env;
    this.workflowBundle = workflowBundle;
  }

  /** @param address of a server that does not skip time. Default: the time-skipping one, our own */
  static async create(address?: string): Promise<RotationHarness> {
    beQuiet();
    const environment =
      address === undefined ? startTimeSkipping() : TestWorkflowEnvironment.createFromExistingServer({ address });
    const [env, bundle] = await Promise.all([environment, bundleWorkflows()]);
    return new RotationHarness(env, bundle);
  }

  world(options: WorldOptions = {}): SimulatedWorld {
    return new SimulatedWorld(() => this.env.currentTimeMs(), options);
  }

  /** Starts a rotation of this world and lets `test` look after it. */
  async rotate<T>(
    world: SimulatedWorld,
    input: RotationInput | null | undefined,
    test: (running: RunningRotation) => Promise<T>,
  ): Promise<T> {
    const taskQueue = randomUUID();
    const worker = await Worker.create({
      connection: this.env.nativeConnection,
      taskQueue,
      workflowBundle: this.workflowBundle,
      activities: world.activities(),
      // Cancellation reaches an activity with the answer to a heartbeat.
      maxHeartbeatThrottleInterval: 50,
      defaultHeartbeatThrottleInterval: 50,
    });
    return worker.runUntil(async () => {
      const handle = await this.env.client.workflow.start<typeof rotateSigningKey>('rotateSigningKey', {
        taskQueue,
        workflowId: taskQueue,
        args: input === undefined ? [] : [input],
      });
      const status = () => handle.query(statusQuery);
      const running: RunningRotation = {
        handle,
        world,
        status,
        until: async (isSo) => {
          for (const deadline = Date.now() + 20_000; ;) {
            const now = await status();
            if (isSo(now)) return now;
            if (Date.now() > deadline) throw new Error(`still not so: ${JSON.stringify(now, null, 1)}`);
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
        },
      };
      try {
        return await test(running);
      } catch (error) {
        // What hangs on purpose would keep time from being skipped in the tests that follow.
        await handle.terminate('the test failed').catch(() => undefined);
        throw error;
      }
    });
  }

  /** Lets the drain pass and asks until it is so. */
  async skip(until: RunningRotation['until'], isSo: (status: RotationStatus) => boolean): Promise<RotationStatus> {
    const { wait } = await until((status) => status.state === 'waiting' && status.phase === 'Draining');
    // No longer: time stands still while an activity of what follows runs, and the sleep would not end.
    await this.env.sleep(Date.parse(wait?.until ?? '') - (await this.env.currentTimeMs()));
    return until(isSo);
  }

  async stop(): Promise<void> {
    await this.env.teardown();
  }
}

let isQuiet = false;

/** A process has one runtime only. */
function beQuiet(): void {
  if (isQuiet) return;
  isQuiet = true;
  Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { logging: { filter: 'OFF' } } });
}

async function startTimeSkipping(): Promise<TestWorkflowEnvironment> {
  const executable = { type: 'existing-path' as const, path: await getComponent(catalog['temporal-test-server']) };
  return TestWorkflowEnvironment.createTimeSkipping({ server: { executable } });
}

export async function bundleWorkflows(
  workflowsPath = path.join(import.meta.dirname, '../../src/workflows/index.ts'),
  { failureConverterPath }: DataConverter = {},
): Promise<WorkflowBundleWithSourceMap> {
  return bundleWorkflowCode({
    workflowsPath,
    ...(failureConverterPath === undefined ? {} : { failureConverterPath }),
    logger: new DefaultLogger('ERROR'),
  });
}
