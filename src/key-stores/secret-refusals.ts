// What the key store of Secrets refuses, besides what every key store does.
import { KeyturnError } from '../errors.ts';

/** Grants what the key store needs, and makes its namespace. */
export const KEY_STORE_MANIFEST = 'deploy/rbac-key-store.yaml';

/** @param secret namespace and name */
export function otherwiseThanConfigured(secret: string, found: 'encrypted' | 'not encrypted'): KeyturnError {
  return new KeyturnError('KEY_STORE_LOCKED', `Secret ${secret} is ${found}, which the configuration does not say`, {
    subject: secret,
    remedy: 'Configure the wrappingKey with which it was staged until the rotation has ended',
  });
}

export function overtaken(secret: string): KeyturnError {
  return new KeyturnError('API_SERVER_UNEXPECTED', `Secret ${secret} was changed again and again by another`, {
    subject: secret,
    remedy: 'Find out who changes it',
    retryable: true,
  });
}

export function namespaceMissing(namespace: string): KeyturnError {
  return new KeyturnError('API_SERVER_UNEXPECTED', `There is no namespace ${namespace} for staged keys`, {
    subject: namespace,
    remedy: `Apply ${KEY_STORE_MANIFEST}`,
  });
}
