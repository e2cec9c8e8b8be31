// What keeps the operator's part of a rotation from going on, each with its remedy.
import { KeyturnError } from '../../errors.ts';
import { KEPT_SECRET, NEXT_SECRET, OPERATOR_NAMESPACE } from './names.ts';

const NEXT = `Secret ${OPERATOR_NAMESPACE}/${NEXT_SECRET}`;

/** Nothing was written; the next look decides on what is there then. */
export function changedMeanwhile(name: string): KeyturnError {
  return new KeyturnError('PLATFORM_CHANGED', `${name} was changed by somebody else in the moment of our change`, {
    subject: name,
    remedy: 'It is looked at anew',
    retryable: true,
  });
}

export function nextIsGone(): KeyturnError {
  return new KeyturnError(
    'PLATFORM_CHANGED',
    `${NEXT} was deleted: the operator makes a key of its own, which nobody has published`,
    {
      subject: NEXT,
      remedy: 'Find out who deleted it; roll back where that is possible, or put the pair back and retry',
    },
  );
}

export function nextIsAnother(found: string, expected: string): KeyturnError {
  return new KeyturnError('PLATFORM_CHANGED', `${NEXT} holds the key ${found} instead of ${expected}`, {
    subject: NEXT,
    remedy:
      'Somebody else rotates, or the operator has made a key of its own. Find out who; put the pair back, then retry',
    details: { found, expected },
  });
}

export function formerIsNotKept(): KeyturnError {
  const subject = `Secret ${OPERATOR_NAMESPACE}/${KEPT_SECRET}`;
  return new KeyturnError('KEY_NOT_FOUND', `${subject}, which keeps the former pair for the way back, is gone`, {
    subject,
    remedy: 'Put it back from a backup of etcd, then retry; or go forward',
  });
}

export function keyUnsupported(alg: string): KeyturnError {
  return new KeyturnError('KEY_UNSUPPORTED', `The new key is for ${alg}; OpenShift's own keys are RSA`, {
    subject: alg,
    remedy: 'Use RSA with 2048 or 4096 bits',
  });
}

export function revisionFailed(node: string, revision: number, words: string): KeyturnError {
  return new KeyturnError('PLATFORM_FAILED', `The operator could not bring revision ${revision} to ${node}: ${words}`, {
    subject: node,
    remedy: 'Mend what it names (oc get kubeapiserver cluster -o yaml); the operator tries again by itself, then retry',
    details: { node, revision },
  });
}

export function objectIsMissing(name: string): KeyturnError {
  return new KeyturnError('PLATFORM_CHANGED', `${name} does not exist`, {
    subject: name,
    remedy: 'Check that this is an OpenShift cluster, and whether its kube-apiserver operator runs',
  });
}

export function wouldForgetTheNextKey(kid: string): KeyturnError {
  return new KeyturnError('PLATFORM_CHANGED', `${NEXT} holds ${kid}, the key that is to be forgotten`, {
    subject: NEXT,
    remedy: 'The operator would add it again. Find out who put it there, then retry',
  });
}
