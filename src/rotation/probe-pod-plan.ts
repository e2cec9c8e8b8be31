// The steps of a probe pod, where one is configured: started before anyone trusts the new key, shown to hold a token of it at the end.
import { formatDuration } from './duration.ts';
import { refreshWait } from './kubelet-refresh.ts';
import type { PlannedWaits, Step } from './plan.ts';

export interface ProbePodPlan {
  /** Asked for the pods' tokens. ms */
  readonly tokenLifetimeMs: number;
  /** Whether a pod from before the change of keys is to be shown with its token refreshed by kubelet. */
  readonly awaitRefresh: boolean;
}

/** Steps by the phase whose last ones they are. */
export interface ProbePodSteps {
  readonly staging: readonly Step[];
  readonly verifying: readonly Step[];
  readonly refreshing: readonly Step[];
  readonly waits: Pick<PlannedWaits, 'kubelet'>;
}

/**
 * 1. A pod is started while only the former key exists: its token is one of the former key.
 * 2. When everyone signs with the new key, a second pod gets a token of it, and a relying party accepts both pods' tokens.
 * 3. Kubelet is given the time it needs, and then the first pod, the same all along, must hold a token of the new key.
 */
export function probePodSteps(probePod: ProbePodPlan | null): ProbePodSteps {
  if (probePod === null) return { staging: [], verifying: [], refreshing: [], waits: {} };
  const verifying: readonly Step[] = [
    {
      id: 'verify-with-pod',
      phase: 'Verifying',
      summary: 'Prove that a new pod gets a token of the new key, and that a relying party accepts it',
      action: { type: 'verifyWithPod' },
      guards: ['everyoneSignsWithNext', 'nextIsPublic'],
      undo: null,
    },
  ];
  if (!probePod.awaitRefresh) return { staging: [], verifying, refreshing: [], waits: {} };
  const kubelet = refreshWait(probePod.tokenLifetimeMs);
  return {
    staging: [
      {
        id: 'start-probe-pod',
        phase: 'Staging',
        summary: 'Start a pod that holds a token of the former key',
        action: { type: 'startProbePod' },
        guards: [],
        undo: { action: { type: 'removeProbePod' }, guards: [], summary: 'Remove the probe pod' },
      },
    ],
    verifying,
    refreshing: [
      {
        id: 'wait-for-kubelet',
        phase: 'Refreshing',
        summary: `Wait up to ${formatDuration(kubelet.ms)} until kubelet has replaced the token of the pod from before`,
        action: { type: 'wait', wait: 'kubelet' },
        guards: [],
        undo: null,
      },
      {
        id: 'prove-pod-refresh',
        phase: 'Refreshing',
        summary: 'Prove that the pod from before holds a token of the new key, brought by kubelet; remove the pod',
        action: { type: 'provePodRefresh' },
        guards: ['everyoneSignsWithNext', 'nextIsPublic'],
        undo: null,
      },
    ],
    waits: { kubelet },
  };
}
