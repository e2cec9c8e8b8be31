// A rotation with simulated activities on a real Temporal dev server, by workers that a test starts and stops.
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import type { RotationInput } from '../../../src/activities/contract.ts';
import type { RotationHandle } from '../../../src/cli/temporal.ts';
import { catalog } from '../../../src/demo/components/catalog.ts';
import { getComponent } from '../../../src/demo/components/get-component.ts';
import { startTemporalServer, type TemporalServer } from '../../../src/demo/temporal-server.ts';
import type { rotateSigningKey } from '../../../src/workflows/index.ts';
import { drainOf, planOf } from '../../rotation/observed-cluster.ts';
import { SimulatedWorld, type WorldOptions } from '../../workflows/simulated-activities.ts';

Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { logging: { filter: 'OFF' } } });

export interface DevServer {
  readonly server: TemporalServer;
  readonly client: Client;
  readonly native: NativeConnection;
  stop(): Promise<void>;
}

export async function startDevServer(): Promise<DevServer> {
  const directory = await mkdtemp(path.join(tmpdir(), 'keyturn-temporal-'));
  const server = await startTemporalServer({ program: await getComponent(catalog.temporal), directory });
  const connection = await Connection.connect({ address: server.address });
  const native = await NativeConnection.connect({ address: server.address });
  return {
    server,
    client: new Client({ connection }),
    native,
    stop: async () => {
      await native.close();
      await connection.close();
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** One whose waits are over soon. */
export function quickWorld(drainMs: number, options: WorldOptions = {}): SimulatedWorld {
  const drain = drainOf({ policy: 'fixed', durationMs: drainMs, allowShorter: 'test' });
  const plan = planOf(options.nodes ?? ['node-1'], drain, 200);
  return new SimulatedWorld(() => Promise.resolve(Date.now()), { ...options, plan });
}

export interface RunningWorker {
  stop(): Promise<void>;
}

export async function startWorker(
  { native }: Pick<DevServer, 'native'>,
  options: Pick<
    WorkerOptions,
    'taskQueue' | 'activities' | 'workflowBundle' | 'workerDeploymentOptions' | 'dataConverter'
  >,
): Promise<RunningWorker> {
  const worker = await Worker.create({
    connection: native,
    maxHeartbeatThrottleInterval: 50,
    defaultHeartbeatThrottleInterval: 50,
    ...options,
  });
  const running = worker.run();
  return {
    stop: async () => {
      worker.shutdown();
      await running;
    },
  };
}

export function startRotation(
  { client }: DevServer,
  taskQueue: string,
  input: RotationInput,
  workflowId: string = randomUUID(),
): Promise<RotationHandle> {
  return client.workflow.start<typeof rotateSigningKey>('rotateSigningKey', { taskQueue, workflowId, args: [input] });
}

/** @throws after 30 s */
export async function eventually<T>(look: () => Promise<T | null | undefined | false>): Promise<T> {
  let last: unknown;
  for (const deadline = Date.now() + 30_000; Date.now() < deadline;) {
    try {
      const seen = await look();
      if (seen !== null && seen !== undefined && seen !== false) return seen;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('it did not come to that in 30 s', { cause: last });
}
