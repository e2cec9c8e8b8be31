// What doctor asks Temporal: does it answer, and does a worker serve the task queue.
import type { Client } from '@temporalio/client';
import type { Config } from '../config/schema.ts';
import { formatDuration, MINUTE_MS, SECOND_MS } from '../rotation/duration.ts';
import { fail, ok, warn, type Finding } from './finding.ts';

export async function examineTemporal(client: Client): Promise<Finding> {
  const { serverVersion } = await client.workflowService.getSystemInfo({});
  return ok('Temporal', `namespace ${client.options.namespace} answers; server ${serverVersion}`);
}

/** `temporal.api.enums.v1.TaskQueueType` */
const TASK_QUEUE_TYPES = { workflows: 1, activities: 2 } as const;

/** A poll lasts a minute at most; Temporal remembers who polled for five. */
const POLLING_MS = 2 * MINUTE_MS;

/** No worker is a failure where rotations start by themselves: nobody would see that they do not go on. */
export async function examineWorkers(
  client: Client,
  { taskQueue, schedules = [] }: Pick<Config, 'taskQueue' | 'schedules'>,
  nowMs: number,
): Promise<Finding> {
  const what = `task queue ${taskQueue}`;
  const report = schedules.length > 0 ? fail : warn;
  const identities = new Set<string>();
  for (const [kind, taskQueueType] of Object.entries(TASK_QUEUE_TYPES)) {
    const pollers = await pollersOf(client, taskQueue, taskQueueType);
    const lastMs = Math.max(...pollers.map(({ polledAtMs }) => polledAtMs));
    const last = pollers.length === 0 ? '' : `; one did until ${formatDuration(nowMs - lastMs)} ago`;
    if (lastMs < nowMs - POLLING_MS) return report(what, `no worker asks for ${kind}${last}: start keyturn worker`);
    for (const { identity } of pollers) identities.add(identity);
  }
  return ok(what, `served by ${[...identities].join(', ')}`);
}

interface Poller {
  readonly identity: string;
  readonly polledAtMs: number;
}

async function pollersOf(client: Client, taskQueue: string, taskQueueType: number): Promise<readonly Poller[]> {
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: taskQueue },
    taskQueueType,
  });
  return (pollers ?? []).map(({ identity, lastAccessTime }) => ({
    identity: identity ?? '',
    polledAtMs: Number(lastAccessTime?.seconds ?? 0) * SECOND_MS,
  }));
}
