// Turns what the Azure SDK throws into Keyturn's errors, once, at the boundary.
import { RestError } from '@azure/storage-blob';
import { KeyturnError } from '../errors.ts';
import { CHANGED, mayPass, toKeyturnError } from './store-verdict.ts';
import type { StoreVerdict } from './store-verdict.ts';

const CONTAINER_MISSING: StoreVerdict = {
  code: 'PUBLISHER_CONTAINER_MISSING',
  problem: 'lies in a container that does not exist',
  remedy: 'Create the container with public access for blobs, or correct `containerUrl`',
  retryable: false,
};

/** A lease ends or is broken: the same write may succeed later. */
const LEASED: StoreVerdict = {
  code: 'PUBLISHER_ACCESS_DENIED',
  problem: 'is leased by another writer',
  remedy: 'Wait for the lease to end, or break it with `az storage blob lease break`',
  retryable: true,
};

const DENIED: StoreVerdict = {
  code: 'PUBLISHER_ACCESS_DENIED',
  problem: 'may not be accessed with these credentials',
  remedy:
    'Check the connection string, the SAS (permissions rcw, not expired), or that the identity has the role Storage Blob Data Contributor, and the clock',
  retryable: false,
};

const UNREACHABLE: StoreVerdict = {
  code: 'PUBLISHER_UNREACHABLE',
  problem: 'cannot be reached',
  remedy: 'Check the network, the certificate authority and the state of the storage account; it is tried again',
  retryable: true,
};

const UNEXPECTED: StoreVerdict = {
  code: 'PUBLISHER_UNREACHABLE',
  problem: 'was answered for in an unexpected way',
  remedy: 'Check `containerUrl`; the storage account may not be one for blobs',
  retryable: false,
};

const BY_AZURE_CODE: Readonly<Record<string, StoreVerdict>> = {
  ContainerNotFound: CONTAINER_MISSING,
  ContainerBeingDeleted: CONTAINER_MISSING,
  ContainerDisabled: CONTAINER_MISSING,
  LeaseIdMissing: LEASED,
  LeaseIdMismatchWithBlobOperation: LEASED,
  BlobImmutableDueToPolicy: DENIED,
  // 400, for a key or token that cannot even be read.
  InvalidAuthenticationInfo: DENIED,
};

/** @param subject URL of the blob, without credentials */
export function toPublisherError(error: unknown, subject: string): KeyturnError {
  if (error instanceof KeyturnError) return error;
  const { status, azureCode, reason } = describe(error);
  return toKeyturnError(judge(error, status, azureCode), { status, reason }, subject);
}

/** True for the answer that there is no such blob, in a container that exists. */
export function isBlobMissing(error: unknown): boolean {
  const { status, azureCode } = describe(error);
  return status === 404 && (azureCode === 'BlobNotFound' || azureCode === undefined);
}

function judge(error: unknown, status: number | undefined, azureCode: string | undefined): StoreVerdict {
  // Credentials of @azure/identity fail before anything is sent.
  if (error instanceof Error && /^(Aggregate)?(Authentication|CredentialUnavailable)/.test(error.name)) return DENIED;
  const known =
    azureCode !== undefined && Object.hasOwn(BY_AZURE_CODE, azureCode) ? BY_AZURE_CODE[azureCode] : undefined;
  if (known !== undefined) return known;
  // Azure answers 412 and, to `If-None-Match: *`, 409; 404 where the blob that `If-Match` names is gone.
  if (status === 404 || status === 409 || status === 412) return CHANGED;
  if (status === 401 || status === 403) return DENIED;
  return mayPass(status) ? UNREACHABLE : UNEXPECTED;
}

function describe(error: unknown) {
  if (!(error instanceof RestError)) {
    return { status: undefined, azureCode: undefined, reason: error instanceof Error ? error.name : 'unknown' };
  }
  // An answer to HEAD has no body: its code stands in a header only.
  const azureCode =
    error.response?.headers.get('x-ms-error-code') ?? (error.statusCode === undefined ? undefined : error.code);
  return { status: error.statusCode, azureCode, reason: azureCode ?? error.code ?? error.name };
}
