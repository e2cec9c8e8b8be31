// Asks a rotation where it stands, also one whose run is over.
import {
  isGrpcServiceError,
  QueryNotRegisteredError,
  WorkflowFailedError,
  type WorkflowExecutionDescription,
} from '@temporalio/client';
import { ApplicationFailure, type LoadedDataConverter, type Payload } from '@temporalio/common';
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
  const { loadedDataConverter } = handle.client.options;
  const [probes, retrying] = await Promise.all([
    probesOf(description, loadedDataConverter),
    retriesOf(description, loadedDataConverter),
  ]);
  try {
    return { status: await handle.query(statusQuery), probes, retrying };
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

async function probesOf(
  { raw }: WorkflowExecutionDescription,
  converter: LoadedDataConverter,
): Promise<ProbeCounts | null> {
  const probing = raw.pendingActivities?.find(({ activityType }) => activityType?.name === 'probeTokens');
  const payload = probing?.heartbeatDetails?.payloads?.[0];
  return payload ? decode<ProbeCounts | null>(payload, converter) : null;
}

function retriesOf({ raw }: WorkflowExecutionDescription, converter: LoadedDataConverter): Promise<readonly Retry[]> {
  const failing = (raw.pendingActivities ?? []).filter(({ lastFailure }) => lastFailure != null);
  return Promise.all(
    failing.map(async ({ activityType, attempt, lastFailure }) => {
      const encrypted = lastFailure?.encodedAttributes;
      const { message } = encrypted
        ? await decode<{ message?: string }>(encrypted, converter)
        : { message: lastFailure?.message };
      return { activity: activityType?.name ?? '', attempt: attempt ?? 1, reason: message ?? 'no reason given' };
    }),
  );
}

/** What the description has is as the server stores it. */
async function decode<T>(payload: Payload, { payloadCodecs, payloadConverter }: LoadedDataConverter): Promise<T> {
  let decoded = payload;
  for (const codec of payloadCodecs.toReversed()) [decoded = decoded] = await codec.decode([decoded]);
  return payloadConverter.fromPayload<T>(decoded);
}
