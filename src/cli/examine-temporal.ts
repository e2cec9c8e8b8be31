// What doctor asks Temporal: does it answer, and does a worker serve the task queue.
import type { Client } from '@temporalio/client';
import type { Config } from '../config/schema.ts';
import { formatDuration, MINUTE_MS, SECOND_MS } from '../rotation/duration.ts';
import { examineReach } from './examine-key-store.ts';
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
  { taskQueue, clusters, schedules = [] }: Pick<Config, 'taskQueue' | 'clusters' | 'schedules'>,
  nowMs: number,
): Promise<readonly Finding[]> {
  const what = `task queue ${taskQueue}`;
  // Asked for workflows, the default: our workers serve workflows and activities alike.
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: taskQueue },
  });
  const known = (pollers ?? []).map(({ identity, lastAccessTime }) => ({
    identity: identity ?? 'unknown',
    polledAtMs: Number(lastAccessTime?.seconds ?? 0) * SECOND_MS,
  }));
  const polling = known.filter(({ polledAtMs }) => polledAtMs >= nowMs - POLLING_MS).map(({ identity }) => identity);
  if (polling.length > 0) {
    return [ok(what, `served by ${polling.join(', ')}`), ...examineReach(hostsOf(polling), clusters)];
  }
  const polledAtMs = known.map((each) => each.polledAtMs);
  const lastMs = Math.max(...polledAtMs);
  const last = polledAtMs.length === 0 ? '' : `; the last one asked ${formatDuration(nowMs - lastMs)} ago`;
  return [(schedules.length > 0 ? fail : warn)(what, `no worker serves it${last}: start keyturn worker`)];
}

/** Temporal's SDKs are called `pid@host` unless they are told otherwise. */
function hostsOf(identities: readonly string[]): readonly string[] {
  return [...new Set(identities.map((identity) => identity.slice(identity.indexOf('@') + 1)))].toSorted();
}
