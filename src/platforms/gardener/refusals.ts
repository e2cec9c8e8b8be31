// Errors of a rotation that Gardener orders, with Gardener's own words.
import { KeyturnError } from '../../errors.ts';
import { lastOperationInWords, poolsUpdatedByHand, titleOf, type Shoot } from './shoot.ts';

/** HTTP status of what admission finds wrong with an object. */
const INVALID = 422;

/** What admission refuses is no trouble of the API server's. */
export function refusedByGardener(error: unknown, subject: string, operation: string): unknown {
  if (!(error instanceof KeyturnError) || error.details['status'] !== INVALID) return error;
  const { said } = error.details;
  return new KeyturnError(
    'PLATFORM_FAILED',
    `Gardener refuses ${operation} of ${subject}: ${typeof said === 'string' && said !== '' ? said : error.message}`,
    { subject, remedy: 'Mend what it names, then try again', cause: error },
  );
}

export function lastOperationFailed(shoot: Shoot): KeyturnError {
  const causes = shoot.status.lastErrors.map(({ description }) => description).join('; ');
  return new KeyturnError(
    'PLATFORM_FAILED',
    `Gardener has given up: ${lastOperationInWords(shoot)}${causes === '' ? '' : `: ${causes}`}`,
    {
      subject: titleOf(shoot),
      remedy: 'Mend what it names and have gardenlet try again (annotation gardener.cloud/operation=retry), then retry',
    },
  );
}

export function changedBySomebody(shoot: Shoot, what: string): KeyturnError {
  return new KeyturnError('PLATFORM_CHANGED', `${what} (${titleOf(shoot)})`, {
    subject: titleOf(shoot),
    remedy: 'Find out who operates on this Shoot besides Keyturn, then retry or terminate the rotation',
  });
}

export function workersWaitForHands(shoot: Shoot): KeyturnError {
  const pools = poolsUpdatedByHand(shoot).join(', ');
  return new KeyturnError(
    'PLATFORM_UNFINISHED',
    `Nodes of worker pools with update strategy ManualInPlaceUpdate wait for a person: ${pools}`,
    {
      subject: titleOf(shoot),
      remedy:
        'Drain each of their nodes and label it node.machine.sapcloud.io/selected-for-update=true; when Gardener has updated them, retry',
    },
  );
}
