// Which Secrets a pod, or the template of one, names, and how.
import { z } from 'zod';
import type { SecretReference } from '../rotation/observation.ts';

const named = z.object({ name: z.string().optional() }).nullish();
const container = z.object({
  env: z.array(z.object({ valueFrom: z.object({ secretKeyRef: named }).nullish() })).nullish(),
  envFrom: z.array(z.object({ secretRef: named })).nullish(),
});
const containers = z.array(container).nullish();

/** What is relied on of a PodSpec, https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#PodSpec */
export const podSpec = z.object({
  containers,
  initContainers: containers,
  ephemeralContainers: containers,
  volumes: z
    .array(
      z.object({
        secret: z.object({ secretName: z.string().optional() }).nullish(),
        projected: z.object({ sources: z.array(z.object({ secret: named })).nullish() }).nullish(),
      }),
    )
    .nullish(),
  imagePullSecrets: z.array(z.object({ name: z.string().optional() })).nullish(),
});
export type PodSpec = z.infer<typeof podSpec>;

export interface NamedSecret {
  readonly secret: string;
  readonly how: SecretReference['how'];
}

/** Each Secret once for each way in which it is named. */
export function secretsOf(spec: PodSpec): readonly NamedSecret[] {
  const all = [spec.containers, spec.initContainers, spec.ephemeralContainers].flatMap((list) => list ?? []);
  const volumes = spec.volumes ?? [];
  const found: readonly (readonly [SecretReference['how'], string | undefined])[] = [
    ...volumes.map(({ secret }) => ['volume', secret?.secretName] as const),
    ...volumes.flatMap(({ projected }) =>
      (projected?.sources ?? []).map(({ secret }) => ['volume', secret?.name] as const),
    ),
    ...all.flatMap(({ env }) => (env ?? []).map(({ valueFrom }) => ['env', valueFrom?.secretKeyRef?.name] as const)),
    ...all.flatMap(({ envFrom }) => (envFrom ?? []).map(({ secretRef }) => ['env', secretRef?.name] as const)),
    ...(spec.imagePullSecrets ?? []).map(({ name }) => ['imagePullSecrets', name] as const),
  ];
  const seen = new Map<string, NamedSecret>();
  for (const [how, secret] of found) {
    if (secret !== undefined && secret !== '') seen.set(`${how} ${secret}`, { secret, how });
  }
  return [...seen.values()];
}
