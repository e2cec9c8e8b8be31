// Encrypts what Temporal stores: inputs, results, errors, heartbeats, names and reasons that people wrote.
import type { Payload, PayloadCodec } from '@temporalio/common';
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader } from 'jose';
import { KeyturnError } from '../errors.ts';
import { fromPayloadJson, toPayloadJson } from './payload-json.ts';

/** A symmetric key of 32 bytes. */
export interface PayloadKey {
  /** Stands in each payload that the key has encrypted, in clear. */
  readonly id: string;
  readonly bytes: Uint8Array;
}

/** Metadata value `encoding` of a payload that this codec made. */
const ENCODING = 'binary/keyturn-jwe';

const toBytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const toText = (bytes: Uint8Array | null | undefined): string => new TextDecoder().decode(bytes ?? new Uint8Array());

/**
 * Each payload becomes a JWE in compact serialization (RFC 7516), `dir` with A256GCM; its header's `kid` names the key. The first key
 * encrypts, all of them decrypt: a new key is put in front, and the old one stays as long as histories that need it are kept. What is not
 * encrypted passes: the input of a rotation that was started from the Temporal UI without a codec server, and what was stored before.
 */
export class EncryptingCodec implements PayloadCodec {
  readonly #keys: readonly [PayloadKey, ...PayloadKey[]];

  constructor(keys: readonly [PayloadKey, ...PayloadKey[]]) {
    this.#keys = keys;
  }

  async encode(payloads: Payload[]): Promise<Payload[]> {
    const [{ id, bytes }] = this.#keys;
    const header = { alg: 'dir', enc: 'A256GCM', kid: id } as const;
    return Promise.all(
      payloads.map(async (payload) => {
        const content = toBytes(JSON.stringify(toPayloadJson(payload)));
        const jwe = await new CompactEncrypt(content).setProtectedHeader(header).encrypt(bytes);
        return { metadata: { encoding: toBytes(ENCODING) }, data: toBytes(jwe) };
      }),
    );
  }

  /** @throws PAYLOAD_LOCKED where the key is not among ours, or the payload is damaged */
  async decode(payloads: Payload[]): Promise<Payload[]> {
    return Promise.all(
      payloads.map(async (payload) => {
        if (toText(payload.metadata?.['encoding']) !== ENCODING) return payload;
        return this.#decrypt(toText(payload.data));
      }),
    );
  }

  async #decrypt(jwe: string): Promise<Payload> {
    const id = keyIdOf(jwe);
    const key = this.#keys.find((each) => each.id === id);
    if (key === undefined) {
      throw locked(
        id === undefined
          ? 'is damaged'
          : `needs the key ${id}, which is not among ${this.#keys.map((each) => each.id).join(', ')}`,
        id,
      );
    }
    try {
      const { plaintext } = await compactDecrypt(jwe, key.bytes, {
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
      });
      return fromPayloadJson(JSON.parse(toText(plaintext)));
    } catch {
      throw locked(`was not encrypted with the key that is configured as ${id}, or is damaged`, id);
    }
  }
}

function keyIdOf(jwe: string): string | undefined {
  try {
    return decodeProtectedHeader(jwe).kid;
  } catch {
    return undefined;
  }
}

function locked(what: string, id: string | undefined): KeyturnError {
  return new KeyturnError('PAYLOAD_LOCKED', `A payload of Temporal ${what}`, {
    subject: id ?? 'payload',
    remedy: 'Give worker, CLI and codec server the same KEYTURN_PAYLOAD_KEYS, with every key that kept histories need',
    retryable: true,
  });
}
