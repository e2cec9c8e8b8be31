// What a rotation must remember outside of its own history, so that another run can take it up. Lives in the cluster's Lease.
import type { KeyRef, Kid, PublicKey } from './key.ts';
import type { NodeLayout } from './observation.ts';
import type { StaleTokenBaseline } from './slow-clients.ts';

/** Moments from which waits are counted. RFC 3339; absent until they came. */
export interface Milestones {
  /** The new key was read back at the public URL. */
  readonly publishedAt?: string;
  /** A platform that orders trust and signing itself was told to begin, or was about to be told. */
  readonly begunAt?: string;
  /** The last signer was switched and proven. */
  readonly verifiedAt?: string;
  /** A key of the rotation was seen missing at the public URL after that: caches may be without it until it is proven public again. */
  readonly keyMissingAt?: string;
  /** After Verifying an API server was seen to sign with another key: it has made tokens that nobody has waited for. */
  readonly otherSignerAt?: string;
  /** The former key was taken out of the public JWKS. */
  readonly prunedAt?: string;
  /** The first API server began to forget the former key: from here on only forward. */
  readonly untrustingAt?: string;
  /** No API server knows the former key any more; what follows needs no private key. */
  readonly untrustedAt?: string;
}

/** Known from before this rotation: what the ages of key and rotation are told from until it has ended. RFC 3339. */
export interface FormerTimes {
  /** Since when the former key signs. */
  readonly activeKeySince?: string;
  readonly rotationEndedAt?: string;
}

export interface ProbePodRecord {
  /** A pod of the same name with another uid is another pod. */
  readonly uid: string;
  /** RFC 3339; from here on the pod is not needed any more. */
  readonly refreshedAt?: string;
}

export interface RotationRecord {
  readonly rotationId: string;
  /** Counts the cluster's keys: the first key that Keyturn brings is 2, its predecessor 1. */
  readonly keyVersion: number;
  readonly startedAt: string;
  /** With its public half, so that it can be published again. */
  readonly former: PublicKey;
  /** Null as long as the platform that makes it has not shown it. */
  readonly next: KeyRef | null;
  /** What API servers trusted when the rotation began, where the new key is learnt by what they trust beyond it. */
  readonly trustedBefore?: readonly Kid[];
  /** Of what encrypted the new private key at rest when it was staged; absent where the key store encrypts nothing. */
  readonly wrappingKeyId?: string;
  /** When an API server showed the new key for the first time, where the platform made it; RFC 3339. */
  readonly firstSeenAt?: string;
  /** ms from then until it was public. */
  readonly publicationGapMs?: number;
  /** As they were before the rotation changed anything. */
  readonly layouts: readonly NodeLayout[];
  /** Addresses of all API servers when the rotation was planned, or taken up; absent where that was not recorded. */
  readonly apiServerAddresses?: readonly string[];
  readonly milestones: Milestones;
  /** The pod whose token kubelet is to refresh; absent until it was seen with a token of the former key. */
  readonly probePod?: ProbePodRecord;
  readonly formerTimes?: FormerTimes;
  /** Where the count of stale tokens begins: at Refreshing, or where an operator was told of them last. */
  readonly staleTokens?: StaleTokenBaseline;
  /** Present once the rotation has ended: such a record is history, not something to take up. */
  readonly ended?: { readonly at: string; readonly outcome: 'completed' | 'rolled-back' };
}

/** True where a run stopped before its end: the next run takes the rotation up with the same new key. */
export function isUnfinished(record: RotationRecord | null): record is RotationRecord {
  return record !== null && record.ended === undefined;
}

/** A record whose new key is known. */
export type RecordWithNext = RotationRecord & { readonly next: KeyRef };

export function knowsNext(record: RotationRecord): record is RecordWithNext {
  return record.next !== null;
}
