// The worker process: connects to Temporal and serves the task queue until SIGINT or SIGTERM.
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Client } from '@temporalio/client';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { createActivities } from '../activities/create-activities.ts';
import { currentClusterId, createHasEnded, startedBy } from '../cluster-lock/temporal-holder.ts';
import { findCluster, type LoadedConfig } from '../config/load.ts';
import { applySchedulesAtStart } from './apply-schedules-at-start.ts';
import { composeCluster } from './compose-cluster.ts';
import { composeNotifier } from './compose-notifier.ts';
import { connectClient, reachTemporal, readConnectConfig } from './connect-temporal.ts';
import { areKnown, registerSearchAttributes } from './register-search-attributes.ts';
import { readDataConverter } from './payload-encryption.ts';
import { readLogLevel, startTelemetry } from './telemetry.ts';
import { tellKeyAges } from './tell-key-ages.ts';
import { currentVersionCommand, deploymentOf } from './versioning.ts';

/** Where the workflow code is: TypeScript in a checkout, JavaScript in the published package. */
const workflowsPath = fileURLToPath(new URL(`../workflows/index${path.extname(import.meta.url)}`, import.meta.url));

export async function runWorker(config: LoadedConfig): Promise<void> {
  const logLevel = readLogLevel();
  startTelemetry({ ...config.metrics, ...(logLevel === undefined ? {} : { logLevel }) });
  const client = await connectClient();
  const native = await reachTemporal(() => NativeConnection.connect(readConnectConfig().connectionOptions));
  try {
    const worker = await createWorker({ config, client, native });
    await applySchedulesAtStart(config, client, Runtime.instance().logger);
    const stopTelling =
      config.metrics === undefined ? () => undefined : tellKeyAges(config, Runtime.instance().metricMeter);
    await worker.run().finally(stopTelling);
  } finally {
    await native.close();
    await client.connection.close();
  }
}

interface WorkerParts {
  readonly config: LoadedConfig;
  readonly client: Client;
  readonly native: NativeConnection;
}

async function createWorker({ config, client, native }: WorkerParts): Promise<Worker> {
  const { namespace } = client.options;
  const composed = new Map<string, ReturnType<typeof composeCluster>>();
  let clusterId: Promise<string> | undefined;
  const temporalClusterId = () => (clusterId ??= currentClusterId(client.connection));
  const { logger } = Runtime.instance();
  const notifier = await composeNotifier(config);
  let isSearchable = await registerSearchAttributes({ client, logger, sleep });
  const deployment = await deploymentOf(config);
  const dataConverter = await readDataConverter();
  if (deployment !== null) {
    const makeCurrent = currentVersionCommand(deployment, namespace);
    logger.info(`This build gets rotations to do once it is current: ${makeCurrent}`);
  }
  return Worker.create({
    connection: native,
    namespace,
    taskQueue: config.taskQueue,
    workflowsPath,
    ...(dataConverter === null ? {} : { dataConverter }),
    activities: createActivities({
      findCluster: (name) => {
        const cluster = findCluster(config, name);
        const adapters = composed.get(cluster.name) ?? composeCluster(config, cluster);
        composed.set(cluster.name, adapters);
        // What failed is tried anew next time: someone may have mended a kubeconfig or a secret.
        adapters.catch(() => composed.delete(cluster.name));
        return adapters;
      },
      temporalClusterId,
      hasEnded: async (holder) => createHasEnded(client.connection, await temporalClusterId())(holder),
      startedBy: (workflowId, runId) => startedBy(client, workflowId, runId),
      auditDirectory: path.resolve(path.dirname(config.file), config.auditDirectory),
      newsDesk: { notifier, temporalUi: config.notifications?.temporalUi ?? null },
      // Someone may have registered them since.
      isSearchable: async () => (isSearchable ||= await areKnown(client).catch(() => false)),
      now: Date.now,
    }),
    ...(deployment === null ? {} : { workerDeploymentOptions: deployment }),
    shutdownGraceTime: '10 s',
    // Heartbeats carry progress and probe counts for people who watch.
    maxHeartbeatThrottleInterval: '2 s',
  });
}
