// What is demanded of probe pods and their tokens, and what is said where it is not so.
import { KeyturnError } from '../errors.ts';
import type { PodToken, ProbePod, ProbePods } from '../probe-pods/port.ts';
import { refreshWait } from '../rotation/kubelet-refresh.ts';
import type { Kid } from '../rotation/key.ts';
import { freshRelyingParty } from './fresh-relying-party.ts';
import type { StepContext } from './step-frame.ts';

/** Clocks of workers and API servers may differ by this: Preflight refuses more. */
const CLOCK_SKEW_MS = 5 * 60_000;

const WITHOUT_THIS_PROOF =
  'to go on without this proof, set verification.pod.awaitRefresh to false, restart the worker and retry';

/** @throws TOKEN_REJECTED; PUBLISHER_UNREACHABLE (retryable) where the JWKS cannot be read */
export async function demandAcceptance(
  { adapters }: StepContext,
  audience: string,
  pod: ProbePod,
  { token, kid }: PodToken,
): Promise<void> {
  const verdict = await freshRelyingParty(adapters, audience).verify(token);
  if (verdict.accepted) return;
  throw new KeyturnError(
    'TOKEN_REJECTED',
    `A relying party with the public JWKS refused the token of ${pod.description}, of key ${kid}: ${verdict.reason}`,
    {
      subject: pod.description,
      remedy:
        'Check issuer, and audience in verification.pod; all keys stay trusted and published. Then retry or roll back',
    },
  );
}

/** @throws PROBE_POD_LOST where it is not the pod that was started before the change of keys, or no longer runs */
export async function findLasting({ record }: StepContext, pods: ProbePods): Promise<ProbePod> {
  const pod = await pods.find(record.rotationId, 'lasting');
  if (pod !== null && pod.uid === record.probePod?.uid) return pod;
  throw lost(
    pod?.description ?? `the probe pod in namespace ${pods.namespace}`,
    pod === null ? 'it is gone or has ended' : 'it is not the pod that was started before the change of keys',
  );
}

export function lost(pod: string, why: string): KeyturnError {
  return new KeyturnError('PROBE_POD_LOST', `It cannot be shown that kubelet brings the new key to ${pod}: ${why}`, {
    subject: pod,
    remedy: `No token is harmed. Look whether it was evicted, deleted, or its node rebooted (kubectl get events); ${WITHOUT_THIS_PROOF}`,
  });
}

export function wrongKey({ description, node }: ProbePod, kid: Kid, expectedKid: Kid): KeyturnError {
  return new KeyturnError(
    'EFFECT_MISSING',
    `${description} was started now and got a token of ${kid} instead of ${expectedKid}`,
    {
      subject: description,
      remedy: `Look which API server kubelet of ${node} talks to, and at its --service-account-signing-key-file; then retry or roll back`,
      details: { kid, expectedKid },
    },
  );
}

/** Retryable until kubelet is late by any clock. */
export function notRefreshed(
  { description, node }: ProbePod,
  { kid, issuedAt, expiresAt }: PodToken,
  nowMs: number,
): KeyturnError {
  const { ms } = refreshWait(expiresAt - issuedAt);
  const dueMs = issuedAt + ms;
  const [minted, due] = [issuedAt, dueMs].map((time) => new Date(time).toISOString());
  return new KeyturnError(
    'TOKEN_NOT_REFRESHED',
    `${description} still holds the token of ${kid} that was minted at ${minted}; kubelet had to replace it by ${due}`,
    {
      subject: description,
      remedy:
        `Look into kubelet's log on ${node} for token requests that fail (it asks the API server of its kubeconfig), and whether other pods there ` +
        `have old tokens too: they would be refused after Pruning. Then retry or roll back; ${WITHOUT_THIS_PROOF}`,
      retryable: nowMs < dueMs + CLOCK_SKEW_MS,
      details: { kid, minted, due },
    },
  );
}

export function notConfigured(cluster: string): KeyturnError {
  return new KeyturnError(
    'CONFIG_INVALID',
    `The rotation of "${cluster}" uses a probe pod, and none is configured any more`,
    {
      subject: 'verification.pod',
      remedy:
        'Put verification.pod back into keyturn.yaml and restart the worker, so that what was made can be removed; ' +
        'to do without the wait for kubelet use its awaitRefresh: false. Then retry',
    },
  );
}
