// Wraps data keys with a symmetric key that the user supplies.
import { CompactEncrypt, compactDecrypt } from 'jose';
import type { KeyWrapper, WrappedKey } from './key-wrapper.ts';
import { damaged, wrappedByAnother } from './refusals.ts';
import { readWrappingKey } from './wrapping-key.ts';
import type { WrappingKeySource } from './wrapping-key.ts';

const TYPE = 'keyturn-data-key';

/** JWE compact serialization (RFC 7516), `dir` with A256GCM. The key is read each time: it may be put right while we run. */
export class SuppliedKey implements KeyWrapper {
  readonly description = 'a supplied key';
  readonly #source: WrappingKeySource;

  constructor(source: WrappingKeySource) {
    this.#source = source;
  }

  async owns(wrappingKeyId: string): Promise<boolean> {
    return (await readWrappingKey(this.#source)).id === wrappingKeyId;
  }

  async wrap(dataKey: Uint8Array): Promise<WrappedKey> {
    const { id, bytes } = await readWrappingKey(this.#source);
    const header = { alg: 'dir', enc: 'A256GCM', typ: TYPE, kid: id } as const;
    const encrypted = new CompactEncrypt(dataKey).setProtectedHeader(header).encrypt(bytes);
    return { wrappingKeyId: id, wrapped: await encrypted.finally(() => bytes.fill(0)) };
  }

  async unwrap({ wrappingKeyId, wrapped }: WrappedKey, subject: string): Promise<Uint8Array> {
    const { id, bytes } = await readWrappingKey(this.#source);
    if (wrappingKeyId !== id) throw wrappedByAnother(subject, wrappingKeyId, id);
    const algorithms = { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] };
    const opened = await compactDecrypt(wrapped, bytes, algorithms)
      .catch(() => undefined)
      .finally(() => bytes.fill(0));
    if (opened?.protectedHeader.typ !== TYPE) throw damaged(subject);
    return opened.plaintext;
  }

  /** It has one version only. */
  async rewrap(key: WrappedKey, subject: string): Promise<WrappedKey> {
    await this.unwrap(key, subject);
    return key;
  }
}
