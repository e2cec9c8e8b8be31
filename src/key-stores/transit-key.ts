// Wraps data keys with a key of the transit engine of OpenBao or Vault, which it never gives out.
import { z } from 'zod';
import type { KeyWrapper, WrappedKey } from './key-wrapper.ts';
import { damaged, wrappedByAnother } from './refusals.ts';
import { notTransit } from './transit-refusal.ts';
import type { TransitClient } from './transit-client.ts';

export interface TransitKeyOptions {
  readonly client: TransitClient;
  /** Where the engine is mounted, e.g. `transit`. */
  readonly mount: string;
  /** Name of a symmetric key that exists, e.g. `keyturn`. */
  readonly key: string;
}

/** `vault:v<version>:<base64>`, of OpenBao too. https://openbao.org/api-docs/secret/transit/#encrypt-data */
const CIPHERTEXT = /^vault:v(\d+):[A-Za-z0-9+/]+={0,2}$/;

const encrypted = z.object({ data: z.object({ ciphertext: z.string().regex(CIPHERTEXT) }) });
const decrypted = z.object({ data: z.object({ plaintext: z.base64() }) });

/** Its ids have the key's version: `transit/keyturn:v3`. */
export class TransitKey implements KeyWrapper {
  readonly description: string;
  readonly #client: TransitClient;
  readonly #mount: string;
  readonly #key: string;

  constructor({ client, mount, key }: TransitKeyOptions) {
    this.description = `${mount}/${key} at ${client.address}`;
    this.#client = client;
    this.#mount = mount;
    this.#key = key;
  }

  owns(wrappingKeyId: string): Promise<boolean> {
    return Promise.resolve(wrappingKeyId.startsWith(`${this.#name}:`));
  }

  async wrap(dataKey: Uint8Array): Promise<WrappedKey> {
    const plaintext = Buffer.from(dataKey).toString('base64');
    return this.#wrapped(await this.#ask('encrypt', { plaintext }));
  }

  async unwrap(key: WrappedKey, subject: string): Promise<Uint8Array> {
    const answer = decrypted.safeParse(await this.#ask('decrypt', { ciphertext: await this.#check(key, subject) }));
    if (!answer.success) throw notTransit(this.#client.address, this.#name);
    return Buffer.from(answer.data.data.plaintext, 'base64');
  }

  async rewrap(key: WrappedKey, subject: string): Promise<WrappedKey> {
    return this.#wrapped(await this.#ask('rewrap', { ciphertext: await this.#check(key, subject) }));
  }

  get #name(): string {
    return `${this.#mount}/${this.#key}`;
  }

  #ask(operation: 'encrypt' | 'decrypt' | 'rewrap', body: Readonly<Record<string, string>>): Promise<unknown> {
    return this.#client.write(`${this.#mount}/${operation}/${this.#key}`, body);
  }

  async #check({ wrappingKeyId, wrapped }: WrappedKey, subject: string): Promise<string> {
    if (!(await this.owns(wrappingKeyId))) throw wrappedByAnother(subject, wrappingKeyId, this.#name);
    if (!CIPHERTEXT.test(wrapped)) throw damaged(subject);
    return wrapped;
  }

  #wrapped(answer: unknown): WrappedKey {
    const parsed = encrypted.safeParse(answer);
    if (!parsed.success) throw notTransit(this.#client.address, this.#name);
    const { ciphertext } = parsed.data.data;
    return { wrappingKeyId: `${this.#name}:v${CIPHERTEXT.exec(ciphertext)?.[1]}`, wrapped: ciphertext };
  }
}
