// How holder and record stand in the Lease's fields and annotations, and what a hand edit may not have left there.
import { z } from 'zod';
import { staleTokenBaselineSchema } from '../api-servers/stale-token-baseline.ts';
import type { RotationRecord } from '../rotation/record.ts';
import { annotationUnreadable, heldByHand } from './lock-refusals.ts';
import type { Held, Holder } from './port.ts';

const HOLDER_ANNOTATION = 'keyturn.dev/holder';
const ROTATION_ANNOTATION = 'keyturn.dev/rotation';

/** A Lease as the API server gives it; everything that is not named here is kept when it is written back. */
export const leaseSchema = z.looseObject({
  metadata: z.looseObject({
    resourceVersion: z.string(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec: z
    .looseObject({
      holderIdentity: z.string().nullish(),
      acquireTime: z.string().nullish(),
      renewTime: z.string().nullish(),
      leaseTransitions: z.number().nullish(),
    })
    .nullish(),
});
export type Lease = z.infer<typeof leaseSchema>;

const holderSchema = z.object({
  temporalClusterId: z.string(),
  namespace: z.string().min(1),
  workflowId: z.string().min(1),
  runId: z.string().min(1),
});

const timestamp = z.iso.datetime({ offset: true });
const kid = z.string().min(1);
const alg = z.enum(['RS256', 'ES256', 'ES384', 'ES512']);
/** Loose: what a newer Keyturn put into the record is not cut off by an older one. */
const recordSchema: z.ZodType<RotationRecord> = z.looseObject({
  rotationId: z.string().min(1),
  keyVersion: z.number(),
  startedAt: timestamp,
  former: z.looseObject({ kid, alg, publicPem: z.string() }),
  next: z.looseObject({ kid, alg }).nullable(),
  trustedBefore: z.array(kid).exactOptional(),
  firstSeenAt: timestamp.exactOptional(),
  publicationGapMs: z.number().exactOptional(),
  wrappingKeyId: z.string().exactOptional(),
  layouts: z.array(
    z.looseObject({
      node: z.string(),
      signingKeyFile: z.string(),
      trustedKeyFiles: z.array(z.string()),
      controllerManagerKeyFile: z.string().nullable(),
      keyLayout: z.enum(['flags', 'in-place']).exactOptional(),
      joined: z.literal(true).exactOptional(),
    }),
  ),
  apiServerAddresses: z.array(z.string()).exactOptional(),
  milestones: z.looseObject({
    publishedAt: timestamp.exactOptional(),
    begunAt: timestamp.exactOptional(),
    verifiedAt: timestamp.exactOptional(),
    keyMissingAt: timestamp.exactOptional(),
    otherSignerAt: timestamp.exactOptional(),
    prunedAt: timestamp.exactOptional(),
    untrustingAt: timestamp.exactOptional(),
    untrustedAt: timestamp.exactOptional(),
  }),
  probePod: z.looseObject({ uid: z.string().min(1), refreshedAt: timestamp.exactOptional() }).exactOptional(),
  formerTimes: z
    .looseObject({ activeKeySince: timestamp.exactOptional(), rotationEndedAt: timestamp.exactOptional() })
    .exactOptional(),
  staleTokens: staleTokenBaselineSchema.exactOptional(),
  ended: z.looseObject({ at: timestamp, outcome: z.enum(['completed', 'rolled-back']) }).exactOptional(),
});

/** What `kubectl get lease` shows. */
export function identityOf(holder: Holder): string {
  return `${holder.namespace}/${holder.workflowId}/${holder.runId}`;
}

export function isSameRun(a: Holder, b: Holder): boolean {
  return a.temporalClusterId === b.temporalClusterId && identityOf(a) === identityOf(b);
}

/**
 * Who holds the Lease, or null where nobody does.
 * @param name of the Lease with its namespace, for errors
 * @throws CLUSTER_LOCKED where it is held by someone who is not a run of Keyturn, or whose annotation cannot be read
 */
export function readHeld(lease: Lease, name: string): Held | null {
  const identity = lease.spec?.holderIdentity ?? '';
  if (identity === '') return null;
  const since = lease.spec?.acquireTime ?? 'an unknown time';
  const annotation = lease.metadata.annotations?.[HOLDER_ANNOTATION];
  if (annotation === undefined) throw heldByHand(name, identity, since);
  const holder = parseAnnotation(holderSchema, annotation);
  if (holder === undefined || identityOf(holder) !== identity) throw annotationUnreadable(name, HOLDER_ANNOTATION);
  return { holder, since };
}

/** @throws CLUSTER_LOCKED where the annotation cannot be read */
export function readRecord(lease: Lease, name: string): RotationRecord | null {
  const annotation = lease.metadata.annotations?.[ROTATION_ANNOTATION];
  if (annotation === undefined) return null;
  const record = parseAnnotation(recordSchema, annotation);
  if (record === undefined) throw annotationUnreadable(name, ROTATION_ANNOTATION);
  return record;
}

/** A Lease that does not exist yet, held. `nowMs`: ms since the epoch. */
export function newLease(
  namespace: string,
  name: string,
  holder: Holder,
  nowMs: number,
): Readonly<Record<string, unknown>> {
  const labels = { 'app.kubernetes.io/managed-by': 'keyturn' };
  const lease = { metadata: { resourceVersion: '' } };
  const { spec, metadata } = withHolder(lease, holder, nowMs);
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name, namespace, labels, annotations: metadata.annotations },
    spec,
  };
}

/** The Lease as this run takes it. */
export function withHolder(lease: Lease, holder: Holder, nowMs: number): Lease {
  const time = microTime(nowMs);
  const leaseTransitions = (lease.spec?.leaseTransitions ?? 0) + 1;
  return {
    ...lease,
    metadata: {
      ...lease.metadata,
      annotations: { ...lease.metadata.annotations, [HOLDER_ANNOTATION]: JSON.stringify(holder) },
    },
    spec: { ...lease.spec, holderIdentity: identityOf(holder), acquireTime: time, renewTime: time, leaseTransitions },
  };
}

/** The Lease renewed, with the record, or with the one that it has. */
export function withRecord(lease: Lease, record: RotationRecord | undefined, nowMs: number): Lease {
  const added = record === undefined ? {} : { [ROTATION_ANNOTATION]: JSON.stringify(record) };
  return {
    ...lease,
    metadata: { ...lease.metadata, annotations: { ...lease.metadata.annotations, ...added } },
    spec: { ...lease.spec, renewTime: microTime(nowMs) },
  };
}

/** The Lease given back. */
export function withoutHolder(lease: Lease, keepRecord: boolean, nowMs: number): Lease {
  const gone = keepRecord ? [HOLDER_ANNOTATION] : [HOLDER_ANNOTATION, ROTATION_ANNOTATION];
  const annotations = Object.entries(lease.metadata.annotations ?? {}).filter(([name]) => !gone.includes(name));
  return {
    ...lease,
    metadata: { ...lease.metadata, annotations: Object.fromEntries(annotations) },
    spec: { ...lease.spec, holderIdentity: null, acquireTime: null, renewTime: microTime(nowMs) },
  };
}

/** RFC 3339 with microseconds: the one form that a Lease's MicroTime reads. */
function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}

function parseAnnotation<T>(schema: z.ZodType<T>, annotation: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(annotation)).data;
  } catch {
    return undefined;
  }
}
