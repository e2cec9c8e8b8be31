// What doctor asks Temporal: does it answer, and does a worker serve the task queue.
import type { Client } from '@temporalio/client';
import type { Config } from '../config/schema.ts';
import { formatDuration, MINUTE_MS, SECOND_MS } from '../rotation/duration.ts';
import { fail, ok, warn, type Finding } from './finding.ts';

export async function examineTemporal(client: Client): Promise<Finding> {
  const { serverVersion } = await client.workflowService.getSystemInfo({});
  return ok('Temporal', `namespace ${client.options.namespace} answers; server ${serverVersion}`);
}

/** A poll lasts a minute at most; Temporal remembers who polled for five. */
const POLLING_MS = 2 * MINUTE_MS;

/** No worker is a failure where rotations start by themselves: nobody would see that they do not go on. */
export async function examineWorkers(
  client: Client,
  { taskQueue, schedules = [] }: Pick<Config, 'taskQueue' | 'schedules'>,
  nowMs: number,
): Promise<Finding> {
  const what = `task queue ${taskQueue}`;
  // Asked for workflows, the default: our workers serve workflows and activities alike.
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: taskQueue },
  });
  const polledAtMs = (pollers ?? []).map(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * SECOND_MS);
  const lastMs = Math.max(...polledAtMs);
  if (lastMs >= nowMs - POLLING_MS) {
    return ok(what, `served by ${(pollers ?? []).map(({ identity }) => identity ?? 'unknown').join(', ')}`);
  }
  const last = polledAtMs.length === 0 ? '' : `; the last one asked ${formatDuration(nowMs - lastMs)} ago`;
  return (schedules.length > 0 ? fail : warn)(what, `no worker serves it${last}: start keyturn worker`);
}
