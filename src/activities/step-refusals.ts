// What keeps a step from being done at all, before anything is looked at.
import { KeyturnError } from '../errors.ts';
import type { RotationRecord } from '../rotation/record.ts';
import type { StepInput } from './contract.ts';

export function nextIsUnknown({ cluster }: StepInput): KeyturnError {
  return new KeyturnError('KEY_NOT_FOUND', `The new key of cluster "${cluster}" is not known yet`, {
    subject: cluster,
    remedy: 'Find out why the platform has not shown it, then retry',
  });
}

/** The plan stands in the history, the platform in keyturn.yaml. */
export function notOfThisPlatform({ cluster }: StepInput): KeyturnError {
  return new KeyturnError('CONFIG_INVALID', `Cluster "${cluster}" has another platform than when the rotation began`, {
    subject: cluster,
    remedy: 'Put its former platform back into keyturn.yaml, restart the worker, then retry',
  });
}

export function recordIsGone({ cluster, rotationId }: StepInput, record: RotationRecord | null): KeyturnError {
  return new KeyturnError(
    'LOCK_LOST',
    `The Lease of cluster "${cluster}" no longer has the record of rotation ${rotationId} (it has ${record?.rotationId ?? 'none'})`,
    { subject: cluster, remedy: 'Find out who changed the Lease; roll back or terminate this run, then start again' },
  );
}
