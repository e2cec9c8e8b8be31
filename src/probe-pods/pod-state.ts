// What the API says of a pod, reduced to whether it runs and, if not, why.
import { z } from 'zod';
import { ROTATION_LABEL } from './objects.ts';

const explained = z.object({ reason: z.string().optional(), message: z.string().optional() });
const containerStatus = z.object({
  ready: z.boolean(),
  restartCount: z.number(),
  state: z.object({ waiting: explained.nullish(), terminated: explained.nullish() }).nullish(),
});

export const podSchema = z.object({
  metadata: z.object({
    name: z.string(),
    uid: z.string(),
    creationTimestamp: z.string(),
    deletionTimestamp: z.string().nullish(),
    labels: z.record(z.string(), z.string()).optional(),
  }),
  spec: z.object({ nodeName: z.string().optional() }),
  status: z
    .object({
      phase: z.string().optional(),
      reason: z.string().optional(),
      message: z.string().optional(),
      conditions: z.array(explained.extend({ type: z.string(), status: z.string() })).nullish(),
      containerStatuses: z.array(containerStatus).nullish(),
    })
    .optional(),
});
export type Pod = z.infer<typeof podSchema>;

export type PodState =
  | { readonly state: 'running' }
  /** May still come. */
  | { readonly state: 'starting'; readonly why: string }
  /** Will not run again. */
  | { readonly state: 'over'; readonly why: string };

export function podState({ metadata, status }: Pod): PodState {
  const { phase = 'Pending', conditions, containerStatuses } = status ?? {};
  const containers = containerStatuses ?? [];
  const told = containers.flatMap(({ state }) => state?.terminated ?? state?.waiting ?? [])[0];
  const unscheduled = conditions?.find(({ type, status: is }) => type === 'PodScheduled' && is === 'False');
  const why =
    inWords(told) || inWords(unscheduled) || inWords(status) || `it is ${phase}, and no kubelet has said more`;
  if (metadata.deletionTimestamp != null) return { state: 'over', why: 'it is being deleted' };
  if (phase === 'Failed' || phase === 'Succeeded') return { state: 'over', why };
  if (containers.some(({ restartCount }) => restartCount > 0))
    return { state: 'over', why: 'its container was restarted' };
  const runs = phase === 'Running' && containers.length > 0 && containers.every(({ ready }) => ready);
  return runs ? { state: 'running' } : { state: 'starting', why };
}

function inWords(
  told: { readonly reason?: string | undefined; readonly message?: string | undefined } | undefined,
): string {
  return [told?.reason, told?.message].filter(Boolean).join(': ');
}

export function rotationOf({
  metadata,
}: {
  readonly metadata: { readonly labels?: Record<string, string> | undefined };
}): string {
  return metadata.labels?.[ROTATION_LABEL] ?? '';
}
