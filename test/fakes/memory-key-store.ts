// A key store in memory, for tests of what uses one.
import { KeyturnError } from '../../src/errors.ts';
import type { KeyStore, KeyType } from '../../src/key-stores/port.ts';
import { generateKeyPair } from '../../src/keys/generate.ts';
import type { SigningKey } from '../../src/keys/signing-key.ts';
import type { Kid, PublicKey } from '../../src/rotation/key.ts';
import type { Problem } from '../../src/rotation/observation.ts';

export class MemoryKeyStore implements KeyStore {
  readonly description = 'memory';
  readonly #keys: Map<string, Promise<SigningKey>>;
  readonly #keyType: KeyType;

  /** @param keys what is staged already, by cluster; shared between stores, it stands for one that outlives a process */
  constructor(keyType: KeyType = 'ec-p256', keys = new Map<string, Promise<SigningKey>>()) {
    this.#keyType = keyType;
    this.#keys = keys;
  }

  async staged(cluster: string): Promise<PublicKey | undefined> {
    const key = await this.#keys.get(cluster);
    return key && { kid: key.kid, alg: key.alg, publicPem: key.publicPem };
  }

  async stage(cluster: string): Promise<PublicKey> {
    if (!this.#keys.has(cluster)) this.#keys.set(cluster, generateKeyPair(this.#keyType));
    const staged = await this.staged(cluster);
    if (staged === undefined) throw new Error('discarded while it was staged');
    return staged;
  }

  async load(cluster: string, kid: Kid): Promise<SigningKey> {
    const key = await this.#keys.get(cluster);
    if (key?.kid === kid) return key;
    throw new KeyturnError('KEY_NOT_FOUND', `The staged key ${kid} of ${cluster} is not in memory`, {
      subject: cluster,
      remedy: 'Stage it',
    });
  }

  async discard(cluster: string, kid: Kid): Promise<void> {
    const key = await this.#keys.get(cluster);
    if (key?.kid === kid) this.#keys.delete(cluster);
  }

  async wrappingKeyId(): Promise<undefined> {
    return undefined;
  }

  async rewrap(): Promise<undefined> {
    return undefined;
  }

  async findProblems(): Promise<readonly Problem[]> {
    return [];
  }
}
