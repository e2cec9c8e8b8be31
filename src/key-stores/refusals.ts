// What key stores say of a staged key that they cannot give. No cause is ever kept: parsers quote what they read.
import { KeyturnError } from '../errors.ts';
import type { Kid } from '../rotation/key.ts';

/** @param subject what holds the key, e.g. its file */
export function damaged(subject: string): KeyturnError {
  return new KeyturnError('KEY_MALFORMED', `${subject} is not a staged key, or is damaged`, {
    subject,
    remedy: 'Restore it from a backup, or, if no rotation of the cluster is under way, remove it',
  });
}

export function ofAnotherCluster(subject: string): KeyturnError {
  return new KeyturnError('KEY_MALFORMED', `${subject} holds the key of another cluster`, {
    subject,
    remedy: 'Put what the key store holds back under its own names',
  });
}

export function wrappedByAnother(subject: string, needed: string, configured: string): KeyturnError {
  return new KeyturnError(
    'KEY_STORE_LOCKED',
    `${subject} is encrypted with the wrapping key ${needed}, not with the configured ${configured}`,
    {
      subject,
      remedy:
        'Configure the wrapping key with which it was staged, or add it to previousKeys; if that is lost, remove the staged key and start the rotation again',
      details: { needed, configured },
    },
  );
}

/** The rotation wants a key that is not there. */
export function notStaged(cluster: string, wanted: Kid, found: Kid | undefined, subject: string): KeyturnError {
  return new KeyturnError('KEY_NOT_FOUND', `The staged key ${wanted} of ${cluster} is not in the key store`, {
    subject,
    remedy: 'Point the key store to where the key was staged, or roll the rotation back',
    details: { wanted, found: found ?? null },
  });
}

/** A race between two rotations of one cluster: another staged it, and discarded it at once. */
export function cameAndWent(cluster: string, subject: string): KeyturnError {
  return new KeyturnError('KEY_NOT_FOUND', `The staged key of ${cluster} came and went while another was made`, {
    subject,
    remedy: 'Try again, and see that only one rotation of the cluster runs',
    retryable: true,
  });
}
