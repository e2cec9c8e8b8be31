// What the Temporal service tells about a run that holds the cluster's lock: whether it has ended, and who started it.
import { setTimeout as sleep } from 'node:timers/promises';
import { isGrpcServiceError } from '@temporalio/client';
import type { Client, ConnectionLike } from '@temporalio/client';
import { KeyturnError } from '../errors.ts';
import type { Holder } from './port.ts';

const requestTimeoutMs = 10_000;

/** gRPC status codes, https://grpc.io/docs/guides/status-codes/ */
const grpc = { INVALID_ARGUMENT: 3, NOT_FOUND: 5, PERMISSION_DENIED: 7, UNAUTHENTICATED: 16 } as const;

/** Names of `temporal.api.enums.v1.WorkflowExecutionStatus` that are final; a paused run, for one, is not. */
const endedStatuses: ReadonlySet<number> = new Set([
  2, // COMPLETED
  3, // FAILED
  4, // CANCELED
  5, // TERMINATED
  6, // CONTINUED_AS_NEW
  7, // TIMED_OUT
]);

interface Run {
  readonly status: number;
  /** Of the chain that runs make by continuing as new or by retrying. */
  readonly firstRunId: string;
  /** ms since the epoch; undefined while it is open */
  readonly closedAt: number | undefined;
}

export interface HasEndedOptions {
  /**
   * How long after its end a run still counts as running, in ms: an activity of a run that was terminated learns of it by its next heartbeat, and
   * may be restarting an API server until then. Default 20 s, the heartbeat timeout of Keyturn's activities.
   */
  readonly settleMs?: number;
}

/**
 * Makes the question that `ClusterLock.acquire` asks about the present holder.
 *
 * Ended means: its run is closed, and no run that continues it is open; or Temporal does not know it any more, since it deletes closed runs only.
 * Of a holder at another Temporal service nothing can be known: not ended. The lock's refusal tells how a person frees it.
 *
 * The answer throws TEMPORAL_UNREACHABLE (retryable) where Temporal does not answer.
 */
export function createHasEnded(
  connection: ConnectionLike,
  ownClusterId: string,
  options: HasEndedOptions = {},
): (holder: Holder) => Promise<boolean> {
  const settleMs = options.settleMs ?? 20_000;
  return async (holder) => {
    if (holder.temporalClusterId !== ownClusterId) return false;
    const run = await describeRun(connection, holder, holder.runId);
    if (run === 'hidden') return false;
    if (run !== undefined && !endedStatuses.has(run.status)) return false;
    if (await isContinued(connection, holder, run?.firstRunId ?? holder.runId)) return false;
    if (run?.closedAt !== undefined) {
      const settledIn = run.closedAt + settleMs - Date.now();
      await sleep(Math.min(Math.max(settledIn, 0), settleMs));
    }
    return true;
  };
}

/** `clusterId` of the Temporal service behind the connection. @throws TEMPORAL_UNREACHABLE (retryable) */
export async function currentClusterId(connection: ConnectionLike): Promise<string> {
  const { clusterId } = await ask(connection, () => connection.workflowService.getClusterInfo({}));
  return clusterId;
}

/**
 * `identity` of the client that started the run, as that client gave it: nothing proves it. Of a scheduled run it is the scheduler's.
 * @throws TEMPORAL_UNREACHABLE (retryable)
 */
export async function startedBy(client: Client, workflowId: string, runId: string): Promise<string> {
  const { history } = await ask(client.connection, () =>
    client.workflowService.getWorkflowExecutionHistory({
      namespace: client.options.namespace,
      execution: { workflowId, runId },
      maximumPageSize: 1,
    }),
  );
  const identity = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.identity;
  return identity === undefined || identity === null || identity === '' ? 'unknown' : identity;
}

/** Whether the newest run of that workflow id is open and of the same chain. */
async function isContinued(connection: ConnectionLike, holder: Holder, firstRunId: string): Promise<boolean> {
  const newest = await describeRun(connection, holder, '');
  if (newest === undefined) return false;
  return newest === 'hidden' || (!endedStatuses.has(newest.status) && newest.firstRunId === firstRunId);
}

/** Undefined where there is no such run; `hidden` where we may not know. */
async function describeRun(
  connection: ConnectionLike,
  holder: Holder,
  runId: string,
): Promise<Run | 'hidden' | undefined> {
  const { namespace, workflowId } = holder;
  try {
    const { workflowExecutionInfo: info } = await connection.withDeadline(Date.now() + requestTimeoutMs, () =>
      connection.workflowService.describeWorkflowExecution({ namespace, execution: { workflowId, runId } }),
    );
    const closeTime = info?.closeTime ?? undefined;
    return {
      status: info?.status ?? 0,
      firstRunId: info?.firstRunId ?? '',
      closedAt: closeTime && Number(closeTime.seconds ?? 0) * 1000 + (closeTime.nanos ?? 0) / 1e6,
    };
  } catch (error) {
    const code: number | undefined = isGrpcServiceError(error) ? error.code : undefined;
    if (code === grpc.NOT_FOUND) return undefined;
    if (code === grpc.PERMISSION_DENIED || code === grpc.UNAUTHENTICATED || code === grpc.INVALID_ARGUMENT)
      return 'hidden';
    throw unreachable(error);
  }
}

async function ask<T>(connection: ConnectionLike, request: () => Promise<T>): Promise<T> {
  try {
    return await connection.withDeadline(Date.now() + requestTimeoutMs, request);
  } catch (error) {
    throw unreachable(error);
  }
}

function unreachable(cause: unknown): KeyturnError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new KeyturnError('TEMPORAL_UNREACHABLE', `The Temporal service does not answer: ${reason}`, {
    subject: 'Temporal',
    remedy: 'Check that it runs, and the TEMPORAL_ADDRESS of this worker',
    retryable: true,
    cause,
  });
}
