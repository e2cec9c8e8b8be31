// One change of a cluster at a time: who holds the cluster, and what the rotation that holds it has done so far.
import type { RotationRecord } from '../rotation/record.ts';

/** A run of a Temporal workflow: the only kind of holder. */
export interface Holder {
  /** `clusterId` of the Temporal service, so that equal namespaces of two services are told apart. */
  readonly temporalClusterId: string;
  readonly namespace: string;
  readonly workflowId: string;
  readonly runId: string;
}

export interface Held {
  readonly holder: Holder;
  /** RFC 3339 */
  readonly since: string;
}

export interface ClusterLock {
  /** The present holder, and the record that a rotation left (also one that ended without giving the lock back). */
  read(): Promise<{ readonly held: Held | null; readonly record: RotationRecord | null }>;
  /**
   * Takes the lock, or takes it over where `hasEnded(holder)` says that the present holder's run is over. Idempotent for the same holder.
   * @throws CLUSTER_LOCKED with who holds it and since when; LOCK_LOST (retryable) where another writer was faster
   */
  acquire(holder: Holder, hasEnded: (holder: Holder) => Promise<boolean>): Promise<void>;
  /** Stores the record. @throws LOCK_LOST where the lock is not ours any more */
  save(holder: Holder, record: RotationRecord): Promise<void>;
  /** @throws LOCK_LOST where the lock is not ours any more. Renews `renewTime`. */
  confirm(holder: Holder): Promise<void>;
  /** Gives the lock back; `keepRecord` leaves the record for the next run. Nothing happens if it is not ours. */
  release(holder: Holder, options: { readonly keepRecord: boolean }): Promise<void>;
}
