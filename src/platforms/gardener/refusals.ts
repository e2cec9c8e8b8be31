// Errors of a rotation that Gardener orders, with Gardener's own words.
import { KeyturnError } from '../../errors.ts';
import { lastOperationInWords, poolsUpdatedByHand, titleOf, type Shoot } from './shoot.ts';

/** What admission refuses is no trouble of the API server's: 422 for what is wrong with the object, 403 for what must not be (or a missing right). */
export function refusedByGardener(error: unknown, subject: string, operation: string): unknown {
  if (!(error instanceof KeyturnError)) return error;
  const { status, said } = error.details;
  if (status !== 422 && status !== 403) return error;
  const words = typeof said === 'string' && said !== '' ? said : error.message;
  const options = { subject, cause: error, details: error.details };
  const problem = `Gardener refuses ${operation} of ${subject}: ${words}`;
  return status === 422
    ? new KeyturnError('PLATFORM_FAILED', problem, { ...options, remedy: 'Mend what it names, then try again' })
    : new KeyturnError('API_SERVER_FORBIDDEN', problem, {
        ...options,
        remedy: 'Mend what it names; where it names a right that is missing, apply deploy/rbac-gardener.yaml',
      });
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
