// Turns what Google Cloud Storage and its credentials answer into Keyturn's errors, once, at the boundary.
import { KeyturnError } from '../errors.ts';
import { CHANGED, mayPass, toKeyturnError } from './store-verdict.ts';
import type { StoreVerdict } from './store-verdict.ts';

export const BUCKET_MISSING: StoreVerdict = {
  code: 'PUBLISHER_CONTAINER_MISSING',
  problem: 'lies in a bucket that does not exist',
  remedy: 'Create the bucket, or correct `bucket` of the publisher',
  retryable: false,
};

const DENIED: StoreVerdict = {
  code: 'PUBLISHER_ACCESS_DENIED',
  problem: 'may not be accessed with these credentials',
  remedy:
    'Give them storage.objects.get, list, create and delete on the bucket, such as roles/storage.objectUser; to overwrite takes delete too',
  retryable: false,
};

const NO_CREDENTIALS: StoreVerdict = {
  code: 'PUBLISHER_ACCESS_DENIED',
  problem: 'cannot be asked for: the worker has no Google credentials',
  remedy:
    'Give the worker a service account (workload identity), or let GOOGLE_APPLICATION_CREDENTIALS name a credential file, as Application Default Credentials reads it',
  retryable: false,
};

const UNREACHABLE: StoreVerdict = {
  code: 'PUBLISHER_UNREACHABLE',
  problem: 'cannot be reached',
  remedy: 'Check the network and `endpoint` of the publisher; it is tried again',
  retryable: true,
};

const UNEXPECTED: StoreVerdict = {
  code: 'PUBLISHER_UNREACHABLE',
  problem: 'was answered for in an unexpected way',
  remedy: 'Check `bucket` and `endpoint` of the publisher; the endpoint may not be one of Google Cloud Storage',
  retryable: false,
};

/** @param subject address of the object */
export function toAnswerError(status: number, subject: string): KeyturnError {
  return toKeyturnError(judge(status), { status, reason: 'HTTP' }, subject);
}

/** For what is thrown where no answer came, by fetch or by the credentials. */
export function toGcsPublisherError(error: unknown, subject: string): KeyturnError {
  if (error instanceof KeyturnError) return error;
  const deepest = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const { code, name } = (deepest instanceof Error ? deepest : new Error('unknown')) as NodeJS.ErrnoException;
  return toKeyturnError(UNREACHABLE, { status: undefined, reason: typeof code === 'string' ? code : name }, subject);
}

/** For what google-auth-library throws: no credentials at all, ones that were refused, or nobody there to ask. */
export function toCredentialError(error: unknown, subject: string): KeyturnError {
  const { status, code } = (error instanceof Error ? error : {}) as {
    readonly status?: unknown;
    readonly code?: unknown;
  };
  const known = typeof status === 'number' ? status : undefined;
  const isAway = known === undefined ? typeof code === 'string' : mayPass(known);
  const reason = typeof code === 'string' ? code : 'no access token';
  return toKeyturnError(isAway ? UNREACHABLE : NO_CREDENTIALS, { status: known, reason }, subject);
}

function judge(status: number): StoreVerdict {
  // 412 where the precondition does not hold; 404 where the object or an upload is gone.
  if (status === 404 || status === 409 || status === 412) return CHANGED;
  if (status === 401 || status === 403) return DENIED;
  return mayPass(status) ? UNREACHABLE : UNEXPECTED;
}
