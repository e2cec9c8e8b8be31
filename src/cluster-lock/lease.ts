// The cluster's lock as a coordination.k8s.io Lease in the cluster itself, so that every Temporal service, schedule and CLI meets the same one.
import { jsonOf } from '../api-servers/answer-json.ts';
import type { ApiCall } from '../api-servers/api-call.ts';
import type { KubeClient } from '../api-servers/kube-client.ts';
import { KeyturnError } from '../errors.ts';
import type { RotationRecord } from '../rotation/record.ts';
import {
  identityOf,
  isSameRun,
  leaseSchema,
  newLease,
  readHeld,
  readRecord,
  withHolder,
  withoutHolder,
  withRecord,
} from './lease-content.ts';
import type { Lease } from './lease-content.ts';
import { clusterLocked, notOurs, overtaken } from './lock-refusals.ts';
import type { ClusterLock, Held, Holder } from './port.ts';

export interface LeaseLockOptions {
  readonly client: KubeClient;
  /** Name of the cluster in keyturn.yaml; the Lease is `keyturn-<cluster>`. */
  readonly cluster: string;
  /** Default `keyturn`. */
  readonly namespace?: string;
  /** ms since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/** How often a change of our own Lease is tried again when another activity of the same run, or a person with kubectl, wrote between. */
const ATTEMPTS = 5;

/**
 * The Lease does not expire by time: a rotation waits for weeks with no process alive, and what tells that it is over is its Temporal run, not a
 * clock. It is never deleted, so that `leaseTransitions` and the record of a rotation that died stay.
 */
export class LeaseLock implements ClusterLock {
  readonly #client: KubeClient;
  readonly #namespace: string;
  readonly #name: string;
  readonly #now: () => number;

  /** @throws CONFIG_INVALID where the cluster's name cannot be part of an object's name */
  constructor(options: LeaseLockOptions) {
    if (!/^[a-z0-9]([-a-z0-9.]{0,200}[a-z0-9])?$/.test(options.cluster)) {
      throw new KeyturnError('CONFIG_INVALID', `"${options.cluster}" cannot name a cluster`, {
        subject: options.cluster,
        remedy: 'Use only lower-case letters, digits, - and . in it: it becomes part of the name of a Lease (RFC 1123)',
      });
    }
    this.#client = options.client;
    this.#namespace = options.namespace ?? 'keyturn';
    this.#name = `keyturn-${options.cluster}`;
    this.#now = options.now ?? Date.now;
  }

  async read(): Promise<{ readonly held: Held | null; readonly record: RotationRecord | null }> {
    const lease = await this.#get();
    if (lease === undefined) return { held: null, record: null };
    return { held: readHeld(lease, this.#subject), record: readRecord(lease, this.#subject) };
  }

  async acquire(holder: Holder, hasEnded: (holder: Holder) => Promise<boolean>): Promise<void> {
    const lease = await this.#get();
    if (lease === undefined) return this.#create(holder);
    const held = readHeld(lease, this.#subject);
    // Also of a free Lease: with a record that nobody can read, the next run would bring in yet another key.
    readRecord(lease, this.#subject);
    if (held !== null && isSameRun(held.holder, holder)) return;
    if (held !== null && !(await hasEnded(held.holder))) throw clusterLocked(this.#subject, held);
    if (!(await this.#replace(withHolder(lease, holder, this.#now())))) throw overtaken(this.#subject);
  }

  save(holder: Holder, record: RotationRecord): Promise<void> {
    return this.#change(holder, (lease) => withRecord(lease, record, this.#now()));
  }

  confirm(holder: Holder): Promise<void> {
    return this.#change(holder, (lease) => withRecord(lease, undefined, this.#now()));
  }

  async release(holder: Holder, options: { readonly keepRecord: boolean }): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const lease = await this.#get();
      const held = lease === undefined ? null : readHeld(lease, this.#subject);
      if (lease === undefined || held === null || !isSameRun(held.holder, holder)) return;
      if (await this.#replace(withoutHolder(lease, options.keepRecord, this.#now()))) return;
    }
    throw overtaken(this.#subject);
  }

  async #change(holder: Holder, change: (lease: Lease) => Lease): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const lease = await this.#get();
      const held = lease === undefined ? null : readHeld(lease, this.#subject);
      if (lease === undefined || held === null) throw notOurs(this.#subject, 'nobody does');
      if (!isSameRun(held.holder, holder))
        throw notOurs(this.#subject, `${identityOf(held.holder)} does, since ${held.since}`);
      if (await this.#replace(change(lease))) return;
    }
    throw overtaken(this.#subject);
  }

  async #get(): Promise<Lease | undefined> {
    const { status, body } = await this.#client.call(this.#call('get'), [404]);
    return status === 404 ? undefined : jsonOf(leaseSchema, body, `Lease ${this.#subject}`);
  }

  async #create(holder: Holder): Promise<void> {
    const body = newLease(this.#namespace, this.#name, holder, this.#now());
    const { status } = await this.#client.call({ ...this.#call('create'), body }, [404, 409]);
    if (status === 409) throw overtaken(this.#subject);
    if (status === 404) {
      throw new KeyturnError('API_SERVER_UNEXPECTED', `There is no namespace ${this.#namespace} for Keyturn's Lease`, {
        subject: this.#subject,
        remedy: 'Apply deploy/rbac.yaml',
      });
    }
  }

  /** @returns false where the Lease was written by another since it was read: its resourceVersion goes back with it, and the API server compares */
  async #replace(lease: Lease): Promise<boolean> {
    const { status } = await this.#client.call({ ...this.#call('update'), body: lease }, [409]);
    return status !== 409;
  }

  #call(verb: 'get' | 'create' | 'update'): ApiCall {
    const collection = `/apis/coordination.k8s.io/v1/namespaces/${this.#namespace}/leases`;
    const path = verb === 'create' ? collection : `${collection}/${this.#name}`;
    return { verb, path, resource: 'leases.coordination.k8s.io', object: this.#subject };
  }

  get #subject(): string {
    return `${this.#namespace}/${this.#name}`;
  }
}
