// Watches for a new key while the platform switches: learns it where the platform makes it, and publishes it where it could not be public before.
import type { PublicKey } from '../rotation/key.ts';
import type { RotationRecord } from '../rotation/record.ts';
import { publishKeys } from './issuer-steps.ts';
import { readAllPublicKids } from './publications.ts';
import type { ManagedStepContext, StepOutcome } from './step-frame.ts';

export class NextKeyWatch {
  record: RotationRecord;
  /** What the public JWKS does not show yet; null where it shows all that it must. */
  missing: string | null = null;
  readonly #context: ManagedStepContext;
  #changed = false;

  constructor(context: ManagedStepContext) {
    this.#context = context;
    this.record = context.record;
  }

  /** One look at the API servers; a key that is seen for the first time is published before anything else is asked. */
  async look(): Promise<void> {
    const { capabilities } = this.#context.adapters.platform;
    if (this.record.next === null) await this.#learnNext();
    const isPublicBefore = capabilities.newKey === 'supplied' && capabilities.publishing === 'ours';
    if (this.record.next === null || isPublicBefore || this.record.milestones.publishedAt !== undefined) return;
    const isPublic = capabilities.publishing === 'ours' ? await this.#publish() : await this.#isPublic();
    this.missing = isPublic ? null : `the public JWKS does not have the new key ${this.record.next.kid}`;
    if (!isPublic) return;
    const publishedAt = this.#context.now();
    const firstSeenAt = this.record.firstSeenAt ?? publishedAt;
    await this.#save({
      milestones: { ...this.record.milestones, publishedAt },
      publicationGapMs: Date.parse(publishedAt) - Date.parse(firstSeenAt),
    });
  }

  /** What a step tells besides its proof. */
  outcome(): Partial<StepOutcome> {
    const { next, milestones, publicationGapMs } = this.record;
    return {
      ...(next === null ? {} : { next: { kid: next.kid, alg: next.alg } }),
      ...(milestones.publishedAt === undefined ? {} : { publishedAt: milestones.publishedAt }),
      ...(publicationGapMs === undefined ? {} : { publicationGapMs }),
      ...(this.#changed ? { changed: true } : {}),
    };
  }

  /** The key that an API server shows and that none had before; of several, the one that signs. */
  async #learnNext(): Promise<void> {
    const unknown = await this.#unknownKeys();
    const [first, second] = unknown;
    if (first === undefined) return;
    const signers = second === undefined ? [] : await this.#signers();
    const { kid, alg } = unknown.find((key) => signers.includes(key.kid)) ?? first;
    await this.#save({ next: { kid, alg }, firstSeenAt: this.#context.now() });
  }

  async #unknownKeys(): Promise<readonly PublicKey[]> {
    const before = [...(this.record.trustedBefore ?? []), this.record.former.kid];
    const shown = await Promise.all(this.#context.adapters.apiServers.map((server) => server.publicKeys()));
    const byKid = new Map(shown.flat().map((key) => [key.kid, key]));
    return [...byKid.values()].filter(({ kid }) => !before.includes(kid));
  }

  async #signers(): Promise<readonly string[]> {
    const observed = await this.#context.adapters.platform.observeApiServers();
    return observed.flatMap(({ signingKid }) => (signingKid === null ? [] : [signingKid]));
  }

  /** The union of what relying parties had and what the API servers show. */
  async #publish(): Promise<boolean> {
    const { adapters, control } = this.#context;
    const shown = await Promise.all(adapters.apiServers.map((server) => server.publicKeys()));
    const next = shown.flat().find(({ kid }) => kid === this.record.next?.kid);
    if (next === undefined) return false;
    this.#changed = (await publishKeys(adapters, [this.record.former, next], control)) || this.#changed;
    return true;
  }

  async #isPublic(): Promise<boolean> {
    const { everywhere: kids } = await readAllPublicKids(this.#context.adapters);
    return this.record.next !== null && kids.includes(this.record.next.kid);
  }

  async #save(change: Partial<RotationRecord>): Promise<void> {
    this.record = { ...this.record, ...change };
    await this.#context.saveRecord(change);
  }
}
