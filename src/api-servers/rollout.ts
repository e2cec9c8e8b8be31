// Whether a rollout has come to its end: the conditions of `kubectl rollout status`, read from a workload's own status.
import { z } from 'zod';
import type { WorkloadKind } from '../rotation/workload.ts';

const count = z.number().default(0);
export const workloadShape = z.object({
  metadata: z.object({ generation: z.number(), resourceVersion: z.string() }),
  spec: z.object({
    replicas: z.number().default(1),
    paused: z.boolean().default(false),
    updateStrategy: z
      .object({ type: z.string().optional(), rollingUpdate: z.object({ partition: count }).nullish() })
      .nullish(),
    template: z.object({
      metadata: z.object({ annotations: z.record(z.string(), z.string()).nullish() }).nullish(),
    }),
  }),
  status: z
    .object({
      observedGeneration: count,
      replicas: count,
      updatedReplicas: count,
      availableReplicas: count,
      desiredNumberScheduled: count,
      updatedNumberScheduled: count,
      numberAvailable: count,
      conditions: z.array(z.object({ type: z.string(), reason: z.string().optional() })).nullish(),
    })
    .prefault({}),
});
export type Workload = z.infer<typeof workloadShape>;

export type Rollout =
  | { readonly state: 'done'; readonly progress: string }
  | { readonly state: 'under way'; readonly progress: string }
  /** Does not come to its end by itself. */
  | { readonly state: 'stuck'; readonly progress: string };

/** What keeps a restart from having an effect; null where nothing does. */
export function whyNotRestartable(kind: WorkloadKind, { spec }: Workload): string | null {
  if (kind === 'Deployment') return spec.paused ? 'it is paused' : null;
  if (spec.updateStrategy?.type === 'OnDelete') return 'its updateStrategy is OnDelete';
  const partition = spec.updateStrategy?.rollingUpdate?.partition ?? 0;
  return kind === 'StatefulSet' && partition > 0 ? `its rollingUpdate.partition is ${partition}` : null;
}

export function rolloutOf(kind: WorkloadKind, { metadata, spec, status }: Workload): Rollout {
  if (status.observedGeneration < metadata.generation) {
    return { state: 'under way', progress: 'its controller has not seen the change yet' };
  }
  if (kind === 'DaemonSet') {
    const { desiredNumberScheduled: wanted, updatedNumberScheduled: updated, numberAvailable: available } = status;
    return judge(wanted, updated, available, 0);
  }
  const { updatedReplicas, availableReplicas, replicas, conditions } = status;
  const rollout = judge(spec.replicas, updatedReplicas, availableReplicas, replicas - updatedReplicas);
  const gaveUp = conditions?.some(
    ({ type, reason }) => type === 'Progressing' && reason === 'ProgressDeadlineExceeded',
  );
  return gaveUp === true && rollout.state !== 'done'
    ? { state: 'stuck', progress: `${rollout.progress}; progressDeadlineSeconds is over` }
    : rollout;
}

/** @param old pods of the former template that are still there */
function judge(wanted: number, updated: number, available: number, old: number): Rollout {
  const progress = `${updated} of ${wanted} pods are new, ${available} available${old > 0 ? `, ${old} old` : ''}`;
  return { state: updated >= wanted && available >= wanted && old <= 0 ? 'done' : 'under way', progress };
}
