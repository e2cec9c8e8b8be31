// What an answer of an object store means to a publisher: one shape for every cloud's errors.
import { KeyturnError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';

export interface StoreVerdict {
  readonly code: ErrorCode;
  /** Follows the document's address. */
  readonly problem: string;
  readonly remedy: string;
  readonly retryable: boolean;
}

/** The document is not in the state that the precondition names, or another writer was quicker. */
export const CHANGED: StoreVerdict = {
  code: 'JWKS_CHANGED',
  problem: 'was changed by another writer',
  remedy: 'Read it again and apply the change to what is there now',
  retryable: true,
};

/** What a cloud's SDK said, without anything secret. */
export interface StoreAnswer {
  readonly status: number | undefined;
  /** The store's or the system's code. */
  readonly reason: string;
}

/**
 * The SDK's error is not kept as cause: its request carries credentials or a signature.
 *
 * @param subject address of the document, without credentials
 */
export function toKeyturnError(verdict: StoreVerdict, { status, reason }: StoreAnswer, subject: string): KeyturnError {
  const { code, problem, remedy, retryable } = verdict;
  return new KeyturnError(code, `${subject} ${problem} (${[status, reason].filter(Boolean).join(' ')})`, {
    subject,
    remedy,
    retryable,
    details: { status: status ?? null, reason },
  });
}

/** Statuses after which the same request may succeed. */
export function mayPass(status: number | undefined): boolean {
  return status === undefined || status === 408 || status === 429 || status >= 500;
}
