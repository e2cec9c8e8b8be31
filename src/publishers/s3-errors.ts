// Turns what the AWS SDK throws into Keyturn's errors, once, at the boundary.
import { S3ServiceException } from '@aws-sdk/client-s3';
import { KeyturnError } from '../errors.ts';
import { CHANGED, mayPass, toKeyturnError } from './store-verdict.ts';
import type { StoreVerdict } from './store-verdict.ts';

const BUCKET_MISSING: StoreVerdict = {
  code: 'PUBLISHER_CONTAINER_MISSING',
  problem: 'lies in a bucket that does not exist',
  remedy: 'Create the bucket, or correct `bucket`, `region` and `endpoint` of the publisher',
  retryable: false,
};

const ELSEWHERE: StoreVerdict = {
  code: 'PUBLISHER_CONTAINER_MISSING',
  problem: 'lies in a bucket of another region',
  remedy: 'Correct `region` of the publisher: `aws s3api get-bucket-location` tells it',
  retryable: false,
};

const DENIED: StoreVerdict = {
  code: 'PUBLISHER_ACCESS_DENIED',
  problem: 'may not be accessed with these credentials',
  remedy:
    'Give them s3:ListBucket on the bucket and s3:GetObject and s3:PutObject on its documents (deploy/s3-policy.json), and check the clock',
  retryable: false,
};

const NO_CREDENTIALS: StoreVerdict = {
  code: 'PUBLISHER_ACCESS_DENIED',
  problem: 'cannot be asked for: the worker has no AWS credentials',
  remedy:
    "Give the worker a role (web identity, ECS, EC2), or AWS_PROFILE, or AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, as the SDK's default chain reads them",
  retryable: false,
};

const UNREACHABLE: StoreVerdict = {
  code: 'PUBLISHER_UNREACHABLE',
  problem: 'cannot be reached',
  remedy: 'Check the network, the certificate authority and `endpoint` of the publisher; it is tried again',
  retryable: true,
};

const UNEXPECTED: StoreVerdict = {
  code: 'PUBLISHER_UNREACHABLE',
  problem: 'was answered for in an unexpected way',
  remedy: 'Check `bucket` and `endpoint` of the publisher; the endpoint may not be one of S3',
  retryable: false,
};

const BY_S3_CODE: Readonly<Record<string, StoreVerdict>> = {
  NoSuchBucket: BUCKET_MISSING,
  PermanentRedirect: ELSEWHERE,
  AuthorizationHeaderMalformed: ELSEWHERE,
  ExpiredToken: DENIED,
  InvalidToken: DENIED,
  // What S3 answers where its clock and ours differ by more than 15 minutes.
  RequestTimeTooSkewed: DENIED,
};

/** Of those which the SDK throws before anything is sent. */
const CREDENTIAL_ERRORS = /^(CredentialsProviderError|TokenProviderError|ProviderError)$/;

/** @param subject address of the object, without credentials */
export function toS3PublisherError(error: unknown, subject: string): KeyturnError {
  if (error instanceof KeyturnError) return error;
  const answer = describe(error);
  return toKeyturnError(judge(answer), answer, subject);
}

/** True for the answer that there is no such object, in a bucket that exists. */
export function isObjectMissing(error: unknown): boolean {
  const { status, reason } = describe(error);
  return status === 404 && (reason === 'NoSuchKey' || reason === 'NotFound');
}

function judge({ status, reason }: { readonly status: number | undefined; readonly reason: string }): StoreVerdict {
  if (CREDENTIAL_ERRORS.test(reason)) return NO_CREDENTIALS;
  const known = Object.hasOwn(BY_S3_CODE, reason) ? BY_S3_CODE[reason] : undefined;
  if (known !== undefined) return known;
  // S3 answers 412 and, where two writers meet, 409; 404 where the object that `If-Match` names is gone.
  if (status === 404 || status === 409 || status === 412) return CHANGED;
  if (status === 301 || status === 307) return ELSEWHERE;
  if (status === 401 || status === 403) return DENIED;
  return mayPass(status) ? UNREACHABLE : UNEXPECTED;
}

function describe(error: unknown): { readonly status: number | undefined; readonly reason: string } {
  if (error instanceof S3ServiceException) return { status: error.$metadata.httpStatusCode, reason: error.name };
  if (!(error instanceof Error)) return { status: undefined, reason: 'unknown' };
  // Of the system, e.g. ECONNREFUSED, or what the SDK calls it, e.g. TimeoutError.
  const { code } = error as NodeJS.ErrnoException;
  return { status: undefined, reason: typeof code === 'string' ? code : error.name };
}
