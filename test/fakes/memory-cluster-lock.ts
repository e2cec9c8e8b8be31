// The cluster's lock in memory, for tests of what uses it. It keeps to test/contract/cluster-lock.ts, races included.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ClusterLock, Held, Holder } from '../../src/cluster-lock/port.ts';
import { KeyturnError } from '../../src/errors.ts';
import type { RotationRecord } from '../../src/rotation/record.ts';

/** What would stand in the cluster; share one between several locks to let them race. */
export interface MemoryLease {
  version: number;
  held: Held | null;
  record: RotationRecord | null;
}

export class MemoryClusterLock implements ClusterLock {
  readonly #lease: MemoryLease;
  readonly #now: () => number;

  constructor(lease: MemoryLease = { version: 0, held: null, record: null }, now: () => number = Date.now) {
    this.#lease = lease;
    this.#now = now;
  }

  async read(): Promise<{ readonly held: Held | null; readonly record: RotationRecord | null }> {
    const { held, record } = await this.#get();
    return { held, record };
  }

  async acquire(holder: Holder, hasEnded: (holder: Holder) => Promise<boolean>): Promise<void> {
    const { version, held } = await this.#get();
    if (held !== null && isSame(held.holder, holder)) return;
    if (held !== null && !(await hasEnded(held.holder))) {
      const { namespace, workflowId, runId } = held.holder;
      throw refusal('CLUSTER_LOCKED', `held by ${namespace}/${workflowId} (run ${runId}) since ${held.since}`, false, {
        ...held,
      });
    }
    const since = new Date(this.#now()).toISOString();
    if (!(await this.#put(version, { held: { holder, since } })))
      throw refusal('LOCK_LOST', 'another was faster', true);
  }

  async save(holder: Holder, record: RotationRecord): Promise<void> {
    await this.#change(holder, { record: structuredClone(record) });
  }

  async confirm(holder: Holder): Promise<void> {
    await this.#change(holder, {});
  }

  async release(holder: Holder, options: { readonly keepRecord: boolean }): Promise<void> {
    const { held } = await this.#get();
    if (held === null || !isSame(held.holder, holder)) return;
    await this.#change(holder, options.keepRecord ? { held: null } : { held: null, record: null });
  }

  async #change(holder: Holder, change: Partial<MemoryLease>): Promise<void> {
    for (;;) {
      const { version, held } = await this.#get();
      if (held === null || !isSame(held.holder, holder)) throw refusal('LOCK_LOST', 'not ours', false);
      if (await this.#put(version, change)) return;
    }
  }

  /** Takes a turn, as a request does, so that others come between reading and writing. */
  async #get(): Promise<MemoryLease> {
    await nextTurn();
    return structuredClone(this.#lease);
  }

  async #put(version: number, change: Partial<MemoryLease>): Promise<boolean> {
    await nextTurn();
    if (this.#lease.version !== version) return false;
    Object.assign(this.#lease, change, { version: version + 1 });
    return true;
  }
}

function isSame(a: Holder, b: Holder): boolean {
  return (
    a.temporalClusterId === b.temporalClusterId &&
    a.namespace === b.namespace &&
    a.workflowId === b.workflowId &&
    a.runId === b.runId
  );
}

function refusal(
  code: 'CLUSTER_LOCKED' | 'LOCK_LOST',
  problem: string,
  retryable: boolean,
  details: Readonly<Record<string, unknown>> = {},
): KeyturnError {
  return new KeyturnError(code, problem, { subject: 'memory lease', remedy: 'Wait', retryable, details });
}
