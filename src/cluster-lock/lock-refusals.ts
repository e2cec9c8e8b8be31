// The refusals of the cluster's lock: who holds it, since when, and what a person can do.
import { KeyturnError } from '../errors.ts';
import type { Held } from './port.ts';

/** Nobody but that run may change the cluster now. */
export function clusterLocked(lease: string, { holder, since }: Held): KeyturnError {
  const run = `${holder.namespace}/${holder.workflowId} (run ${holder.runId})`;
  return new KeyturnError(
    'CLUSTER_LOCKED',
    `The cluster is held by workflow ${run} since ${since}, which has not ended`,
    {
      subject: lease,
      remedy:
        'Wait until that rotation ends, or cancel it in Temporal. If it cannot end, because its Temporal service ' +
        `(cluster id ${holder.temporalClusterId}) is gone or is not this one, ${freeingCommand(lease)}`,
      details: { holder, since },
    },
  );
}

/** A person, or another program, has put its name into the Lease. */
export function heldByHand(lease: string, identity: string, since: string): KeyturnError {
  const problem = `Lease ${lease} is held by "${identity}" since ${since}, which is not a run of Keyturn`;
  return new KeyturnError('CLUSTER_LOCKED', problem, {
    subject: lease,
    remedy: `If that is over, ${freeingCommand(lease)}`,
    details: { holderIdentity: identity, since },
  });
}

export function annotationUnreadable(
  lease: string,
  annotation: 'keyturn.dev/holder' | 'keyturn.dev/rotation',
): KeyturnError {
  const problem = `The annotation ${annotation} of Lease ${lease} cannot be read; someone edited it. Nothing was taken`;
  return new KeyturnError('CLUSTER_LOCKED', problem, {
    subject: lease,
    remedy:
      annotation === 'keyturn.dev/holder'
        ? `Put it back; or, if no rotation of this cluster is running, ${freeingCommand(lease)}`
        : 'Put it back as the former run stored it: it tells which new key was being brought in, and how far that had come',
    details: { annotation },
  });
}

/** The lock, which we had, is with another or with nobody. */
export function notOurs(lease: string, who: string): KeyturnError {
  return new KeyturnError('LOCK_LOST', `This run does not hold the cluster's lock: ${who}`, {
    subject: lease,
    remedy: 'Find out who freed or took it; start the rotation again when nobody else is changing the cluster',
  });
}

/** A race: the same call tells more when it is made again. */
export function overtaken(lease: string): KeyturnError {
  return new KeyturnError('LOCK_LOST', `Another wrote Lease ${lease} at the same moment`, {
    subject: lease,
    remedy: 'Try again',
    retryable: true,
  });
}

/** The record of the rotation stays for the next run. */
function freeingCommand(lease: string): string {
  const [namespace = '', name = ''] = lease.split('/');
  return `free the lock by hand: kubectl -n ${namespace} patch lease ${name} --type=merge -p '{"spec":{"holderIdentity":null}}'`;
}
