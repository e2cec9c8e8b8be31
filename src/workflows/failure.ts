// Which errors of an activity are for a person to decide.
import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';

/** Why something was not done, where only a person can say how to go on. */
export interface Failure {
  /** An ErrorCode, where the activity gave one. */
  readonly code: string;
  readonly message: string;
  readonly details: readonly unknown[];
}

/**
 * Any end of an activity but success is one: a timeout, or a cancellation that was not ours, too.
 * @throws the error itself where it is no activity's: a defect of this code fails the workflow task, which goes on once it is mended
 */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof ActivityFailure)) throw error;
  const { cause, message } = error;
  if (cause instanceof ApplicationFailure) {
    return { code: cause.type ?? 'UNEXPECTED', message: cause.message, details: cause.details ?? [] };
  }
  return { code: 'UNEXPECTED', message: cause?.message ?? message, details: [] };
}

/** Of GUARD_FAILED. Details are whatever the worker's version of the activity put there. */
export function failedGuards(details: readonly unknown[]): readonly string[] {
  return details.flatMap((detail) => {
    const guards = typeof detail === 'object' && detail !== null && 'guards' in detail ? detail.guards : [];
    return Array.isArray(guards) ? guards.filter((guard) => typeof guard === 'string') : [];
  });
}
