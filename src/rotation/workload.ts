// A workload that a rotation restarts, so that its clients take up new tokens.

export type WorkloadKind = 'Deployment' | 'StatefulSet' | 'DaemonSet';

export interface WorkloadName {
  readonly namespace: string;
  readonly kind: WorkloadKind;
  readonly name: string;
}

/** `Deployment default/web` */
export function titleOf({ namespace, kind, name }: WorkloadName): string {
  return `${kind} ${namespace}/${name}`;
}
