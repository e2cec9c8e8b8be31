// Steps with pods as workloads have them: a new one gets a token of the new key, and kubelet brings one to a pod from before.
import type { ProbePods } from '../probe-pods/port.ts';
import type { RotationRecord } from '../rotation/record.ts';
import { demandAcceptance, findLasting, lost, notConfigured, notRefreshed, wrongKey } from './probe-pod-proofs.ts';
import type { StepContext, StepOutcome } from './step-frame.ts';

/** A new pod is removed within this also where its step is stopped. */
const REMOVAL_MS = 180_000;

const NOT_AWAITED = 'that kubelet refreshes a token is not shown, as verification.pod.awaitRefresh says';

/**
 * Staging: a pod that holds a token of the former key. A relying party must accept it, so that a wrong audience shows before anything is changed.
 * @throws PROBE_POD_UNREADY, PROBE_POD_LOST where the former key does not sign any more, TOKEN_REJECTED
 */
export async function startProbePod(context: StepContext): Promise<StepOutcome> {
  const { record, control } = context;
  const pods = probePodsOf(context);
  if (!pods.plan.awaitRefresh) return { changed: false, proof: NOT_AWAITED };
  const shown = shownBefore(record);
  if (shown !== null) return { changed: false, proof: shown };
  const pod = await pods.start(record.rotationId, 'lasting', control);
  if (pod.uid === record.probePod?.uid) {
    return { changed: false, proof: `${pod.description} runs since ${pod.createdAt}` };
  }
  const token = await pods.readToken(pod, control);
  if (token.kid !== record.former.kid)
    throw lost(pod.description, `it was started too late, and got a token of ${token.kid}`);
  await demandAcceptance(context, pods.audience, pod, token);
  await context.saveRecord({ probePod: { uid: pod.uid } });
  return { changed: true, proof: `${pod.description} holds a token of ${token.kid}, which a relying party accepts` };
}

/** Undo of startProbePod, and of what steps after it may have left. */
export async function removeProbePod(context: StepContext): Promise<StepOutcome> {
  const { probePod } = context.record;
  // What was shown is taken back with the keys.
  if (probePod?.refreshedAt !== undefined) await context.saveRecord({ probePod: { uid: probePod.uid } });
  const removed = await probePodsOf(context).removeAll(context.control);
  return { changed: removed > 0, proof: 'nothing that was made for a probe pod is left' };
}

/** Verifying: a workload that starts now gets a token of the new key, and the token of the one from before is accepted still. */
export async function verifyWithPod(context: StepContext): Promise<StepOutcome> {
  const { record, control } = context;
  const pods = probePodsOf(context);
  const isAwaited = pods.plan.awaitRefresh && shownBefore(record) === null;
  const proof = await proveFreshPod(context, pods, isAwaited);
  if (!isAwaited) return { changed: false, proof };
  const pod = await findLasting(context, pods);
  const token = await pods.readToken(pod, control);
  await demandAcceptance(context, pods.audience, pod, token);
  return {
    changed: false,
    proof: `${proof}; the token of the pod from before, of ${token.kid}, is accepted too`,
    ...(token.kid === record.next.kid ? {} : { podTokenSince: new Date(token.issuedAt).toISOString() }),
  };
}

/**
 * Refreshing: the pod from before, the same all along, holds a token of the new key. Then everything that was made for probe pods is removed.
 * @throws TOKEN_NOT_REFRESHED, retryable while kubelet still has time; PROBE_POD_LOST, TOKEN_REJECTED
 */
export async function provePodRefresh(context: StepContext): Promise<StepOutcome> {
  const { record, control } = context;
  const pods = probePodsOf(context);
  const known = pods.plan.awaitRefresh ? shownBefore(record) : NOT_AWAITED;
  const proof = known ?? (await proveRefresh(context, pods));
  // Not before the record says so: a step that dies here is done again, and must not look for the pod.
  const removed = await pods.removeAll(control);
  return { changed: removed > 0, proof };
}

async function proveFreshPod(context: StepContext, pods: ProbePods, isLastingNeeded: boolean): Promise<string> {
  const { record, control } = context;
  const { rotationId, next } = record;
  try {
    // One that a former attempt left may hold an older token.
    await pods.remove(rotationId, 'fresh', control);
    const pod = await pods.start(rotationId, 'fresh', control);
    const token = await pods.readToken(pod, control);
    if (token.kid !== next.kid) throw wrongKey(pod, token.kid, next.kid);
    await demandAcceptance(context, pods.audience, pod, token);
    return `${pod.description} was started and got a token of ${next.kid}, which a relying party accepts`;
  } finally {
    const cleaning = { ...control, signal: AbortSignal.timeout(REMOVAL_MS) };
    await (isLastingNeeded ? pods.remove(rotationId, 'fresh', cleaning) : pods.removeAll(cleaning));
  }
}

async function proveRefresh(context: StepContext, pods: ProbePods): Promise<string> {
  const { record, control } = context;
  const pod = await findLasting(context, pods);
  const token = await pods.readToken(pod, control);
  if (token.kid !== record.next.kid) throw notRefreshed(pod, token, Date.parse(context.now()));
  await demandAcceptance(context, pods.audience, pod, token);
  await context.saveRecord({ probePod: { uid: pod.uid, refreshedAt: context.now() } });
  const broughtAt = new Date(token.issuedAt).toISOString();
  return `${pod.description}, which runs since ${pod.createdAt}, holds a token of ${token.kid} of ${broughtAt}, brought by kubelet; a relying party accepts it`;
}

/** In words, where this rotation has shown it already. */
function shownBefore({ probePod }: RotationRecord): string | null {
  if (probePod?.refreshedAt === undefined) return null;
  return `the probe pod ${probePod.uid} was shown with a token of the new key at ${probePod.refreshedAt}`;
}

/** @throws CONFIG_INVALID where the plan's probe pod is no longer configured: what was made could not be found */
function probePodsOf({ adapters }: StepContext): ProbePods {
  if (adapters.probePods === null) throw notConfigured(adapters.name);
  return adapters.probePods;
}
