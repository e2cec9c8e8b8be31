// The worker process: connects to Temporal and serves the task queue until SIGINT or SIGTERM.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, Worker } from '@temporalio/worker';
import { createActivities } from '../activities/create-activities.ts';
import { currentClusterId, createHasEnded, startedBy } from '../cluster-lock/temporal-holder.ts';
import { findCluster, type LoadedConfig } from '../config/load.ts';
import { composeCluster } from './compose-cluster.ts';

/** Where the workflow code is: TypeScript in a checkout, JavaScript in the published package. */
const workflowsPath = fileURLToPath(new URL(`../workflows/index${path.extname(import.meta.url)}`, import.meta.url));

export async function runWorker(config: LoadedConfig): Promise<void> {
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  const connection = await Connection.connect(connectionOptions);
  const native = await NativeConnection.connect(connectionOptions);
  try {
    const worker = await createWorker({ config, client: new Client({ connection, namespace }), native, namespace });
    await worker.run();
  } finally {
    await native.close();
    await connection.close();
  }
}

export interface WorkerParts {
  readonly config: LoadedConfig;
  readonly client: Client;
  readonly native: NativeConnection;
  readonly namespace: string;
}

export async function createWorker({ config, client, native, namespace }: WorkerParts): Promise<Worker> {
  const composed = new Map<string, ReturnType<typeof composeCluster>>();
  let clusterId: Promise<string> | undefined;
  const temporalClusterId = () => (clusterId ??= currentClusterId(client.connection));
  return Worker.create({
    connection: native,
    namespace,
    taskQueue: config.taskQueue,
    workflowsPath,
    activities: createActivities({
      findCluster: (name) => {
        const cluster = findCluster(config, name);
        const adapters = composed.get(cluster.name) ?? composeCluster(config, cluster);
        composed.set(cluster.name, adapters);
        return adapters;
      },
      temporalClusterId,
      hasEnded: async (holder) => createHasEnded(client.connection, await temporalClusterId())(holder),
      startedBy: (workflowId, runId) => startedBy(client, workflowId, runId),
      auditDirectory: path.resolve(path.dirname(config.file), config.auditDirectory),
      now: Date.now,
    }),
    shutdownGraceTime: '10 s',
    // Heartbeats carry progress and probe counts for people who watch.
    maxHeartbeatThrottleInterval: '2 s',
  });
}
