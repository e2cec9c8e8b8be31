// The one place where errors become what Temporal stores: code as type, retried only where the same call may succeed later.
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { KeyturnError } from '../errors.ts';

/**
 * What is not a KeyturnError is a defect or an unforeseen answer: it is shown to a person instead of being retried for ever.
 * Causes are left out: their stacks and details are not ours to vouch for.
 */
export function toFailure(error: unknown): Error {
  if (error instanceof CancelledFailure || error instanceof ApplicationFailure) return error;
  if (error instanceof KeyturnError) {
    const { code, message, subject, remedy, retryable, details } = error;
    return ApplicationFailure.create({
      type: code,
      message,
      nonRetryable: !retryable,
      details: [{ subject, remedy, ...details }],
    });
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return ApplicationFailure.create({ type: 'UNEXPECTED', message, nonRetryable: true });
}
