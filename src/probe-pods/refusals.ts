// Errors of probe pods.
import { KeyturnError } from '../errors.ts';
import { RIGHTS_MANIFEST } from './rights.ts';

export function unready(pod: string, why: string, waitedMs: number): KeyturnError {
  return new KeyturnError(
    'PROBE_POD_UNREADY',
    `The probe pod ${pod} does not run after ${Math.round(waitedMs / 1000)} s: ${why}`,
    {
      subject: pod,
      remedy: 'Mend what is named (image, node, tolerations in verification.pod), then retry',
      details: { why },
    },
  );
}

export function unreadable(pod: string, file: string, why: string): KeyturnError {
  return new KeyturnError('PROBE_POD_UNREADY', `The token ${file} of the probe pod ${pod} cannot be read: ${why}`, {
    subject: pod,
    remedy: `Try \`kubectl exec\` of \`cat\` there: the image must have it. Mend what is named, then retry`,
    details: { why },
  });
}

/** The API server's own words: a quota, Pod Security or a missing right is the reason. */
export function notAllowed(error: unknown, what: string): unknown {
  if (!(error instanceof KeyturnError) || error.details['status'] !== 403) return error;
  const said = typeof error.details['said'] === 'string' ? error.details['said'] : '';
  return new KeyturnError('API_SERVER_FORBIDDEN', `The ${what} may not be made: ${said || 'HTTP 403'}`, {
    subject: what,
    remedy: `Apply ${RIGHTS_MANIFEST}, and bind its role to the kubeconfig's user; or allow in the namespace what was refused`,
    details: error.details,
  });
}

export function stillThere(pods: readonly string[]): KeyturnError {
  return new KeyturnError('EFFECT_MISSING', `Still there although deleted: ${pods.join(', ')}`, {
    subject: pods.join(', '),
    remedy:
      'Look for finalizers, and for a controller manager that runs; the step goes on by itself once they are gone',
    retryable: true,
  });
}
