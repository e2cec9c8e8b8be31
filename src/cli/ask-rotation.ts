// Asks a rotation where it stands, also one whose run is over.
import {
  isGrpcServiceError,
  QueryNotRegisteredError,
  WorkflowFailedError,
  type WorkflowExecutionDescription,
} from '@temporalio/client';
import { ApplicationFailure, defaultPayloadConverter } from '@temporalio/common';
import { KeyturnError } from '../errors.ts';
import type { ProbeCounts } from '../rotation/probe-counts.ts';
import type { RotationStatus } from '../rotation/status.ts';
import { statusQuery } from '../workflows/messages.ts';
import type { RotationHandle } from './temporal.ts';

export interface RotationAnswer {
  readonly status: RotationStatus;
  /** Of the probes that run now, from their heartbeat; null where none run. */
  readonly probes: ProbeCounts | null;
  /** Transient trouble: what is being tried again, by itself. */
  readonly retrying: readonly Retry[];
}

export interface Retry {
  readonly activity: string;
  readonly attempt: number;
  /** Why the last attempt failed. */
  readonly reason: string;
}

/**
 * @throws ROTATION_FAILED where the run was refused, terminated or timed out
 * @throws TEMPORAL_UNREACHABLE where no worker answers for it
 */
export async function askRotation(handle: RotationHandle): Promise<RotationAnswer> {
  const description = await handle.describe();
  const { name } = description.status;
  if (name !== 'RUNNING' && name !== 'COMPLETED') await resultOf(handle);
  try {
    return { status: await handle.query(statusQuery), probes: probesOf(description), retrying: retriesOf(description) };
  } catch (cause) {
    if (!isGrpcServiceError(cause) && !(cause instanceof QueryNotRegisteredError)) throw cause;
    throw new KeyturnError('TEMPORAL_UNREACHABLE', `No worker answers for ${handle.workflowId}`, {
      subject: handle.workflowId,
      remedy: 'Start one with `keyturn worker`: the rotation goes on where it stands',
      retryable: true,
      cause,
    });
  }
}

/** The audit record. @throws ROTATION_FAILED with the run's own words */
export async function resultOf(handle: RotationHandle) {
  try {
    return await handle.result();
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { cause } = error;
    const code = cause instanceof ApplicationFailure ? cause.type : undefined;
    throw new KeyturnError('ROTATION_FAILED', cause?.message ?? error.message, {
      subject: handle.workflowId,
      remedy: 'What the run had begun is taken up by the next one: keyturn rotate',
      details: code == null ? {} : { code },
      cause: error,
    });
  }
}

function probesOf({ raw }: WorkflowExecutionDescription): ProbeCounts | null {
  const probing = raw.pendingActivities?.find(({ activityType }) => activityType?.name === 'probeTokens');
  const payload = probing?.heartbeatDetails?.payloads?.[0];
  return payload ? defaultPayloadConverter.fromPayload<ProbeCounts | null>(payload) : null;
}

function retriesOf({ raw }: WorkflowExecutionDescription): readonly Retry[] {
  return (raw.pendingActivities ?? []).flatMap(({ activityType, attempt, lastFailure }) =>
    lastFailure == null
      ? []
      : [
          {
            activity: activityType?.name ?? '',
            attempt: attempt ?? 1,
            reason: lastFailure.message ?? 'no reason given',
          },
        ],
  );
}
