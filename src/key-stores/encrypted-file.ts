// Keeps staged keys as JWE files in a directory of their own.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader } from 'jose';
import { KeyturnError } from '../errors.ts';
import { generateKeyPair } from '../keys/generate.ts';
import { parsePrivateKey } from '../keys/pem.ts';
import type { SigningKey } from '../keys/signing-key.ts';
import type { Kid, PublicKey } from '../rotation/key.ts';
import { createPrivateFile, ensurePrivateDirectory, removeFile } from './atomic-file.ts';
import type { KeyStore, KeyType } from './port.ts';
import { codeOf } from './private-file.ts';
import { readWrappingKey } from './wrapping-key.ts';
import type { WrappingKey, WrappingKeySource } from './wrapping-key.ts';

export interface EncryptedFileKeyStoreOptions {
  /** Made with permissions 0700 where it is missing. Workers that may take over from each other need the same one. */
  readonly directory: string;
  readonly wrappingKey: WrappingKeySource;
  /** Kind of the keys that are made. */
  readonly keyType: KeyType;
}

const TYPE = 'keyturn-staged-key';

/**
 * One file per cluster: JWE compact serialization (RFC 7516), `dir` with A256GCM. The header's `kid` names the wrapping key. The cluster's
 * name is sealed in, so that a file that is put in another's place is refused.
 */
export class EncryptedFileKeyStore implements KeyStore {
  readonly description: string;
  readonly #options: EncryptedFileKeyStoreOptions;

  constructor(options: EncryptedFileKeyStoreOptions) {
    this.description = `encrypted-file ${options.directory}`;
    this.#options = options;
  }

  async staged(cluster: string): Promise<PublicKey | undefined> {
    const key = await this.#read(cluster);
    return key && publicHalf(key);
  }

  /** @throws KEY_STORE_LOCKED FILE_TOO_OPEN FILE_UNREADABLE KEY_MALFORMED */
  async stage(cluster: string): Promise<PublicKey> {
    const present = await this.staged(cluster);
    if (present !== undefined) return present;
    const wrappingKey = await readWrappingKey(this.#options.wrappingKey);
    await ensurePrivateDirectory(this.#options.directory);
    const key = await generateKeyPair(this.#options.keyType);
    const path = this.#path(cluster);
    if (await createPrivateFile(path, await seal(key, cluster, wrappingKey))) return publicHalf(key);
    const winner = await this.staged(cluster);
    if (winner !== undefined) return winner;
    throw new KeyturnError('FILE_CHANGED', `The staged key of ${cluster} came and went while another was made`, {
      subject: path,
      remedy: 'Try again, and see that only one rotation of the cluster runs',
      retryable: true,
    });
  }

  async load(cluster: string, kid: Kid): Promise<SigningKey> {
    const key = await this.#read(cluster);
    if (key?.kid === kid) return key;
    throw new KeyturnError('KEY_NOT_FOUND', `The staged key ${kid} of ${cluster} is not in the key store`, {
      subject: this.#path(cluster),
      remedy: 'Point the key store to the directory in which the key was staged, or roll the rotation back',
      details: { wanted: kid, found: key?.kid ?? null },
    });
  }

  async discard(cluster: string, kid: Kid): Promise<void> {
    const key = await this.#read(cluster);
    if (key?.kid === kid) await removeFile(this.#path(cluster));
  }

  async #read(cluster: string): Promise<SigningKey | undefined> {
    const path = this.#path(cluster);
    const wrappingKey = await readWrappingKey(this.#options.wrappingKey);
    let jwe: string;
    try {
      jwe = await readFile(path, 'utf8');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw new KeyturnError('FILE_UNREADABLE', `The staged key ${path} cannot be read (${codeOf(error)})`, {
        subject: path,
        remedy: 'Let the user who runs Keyturn own the directory and its files',
        details: { reason: codeOf(error) },
      });
    }
    return unseal(jwe.trim(), cluster, wrappingKey, path);
  }

  /** A readable beginning, and a hash that keeps names apart that differ in case, in `/` and in length. */
  #path(cluster: string): string {
    const readable = cluster
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .slice(0, 40);
    const hash = createHash('sha256').update(cluster).digest('hex').slice(0, 16);
    return join(this.#options.directory, `${readable}-${hash}.jwe`);
  }
}

async function seal(key: SigningKey, cluster: string, { id, bytes }: WrappingKey): Promise<string> {
  const content = new TextEncoder().encode(JSON.stringify({ cluster, privatePem: key.privatePem }));
  const header = { alg: 'dir', enc: 'A256GCM', typ: TYPE, kid: id } as const;
  return new CompactEncrypt(content).setProtectedHeader(header).encrypt(bytes);
}

async function unseal(jwe: string, cluster: string, { id, bytes }: WrappingKey, path: string): Promise<SigningKey> {
  const needed = wrappingKeyIdOf(jwe, path);
  if (needed !== id) {
    throw new KeyturnError(
      'KEY_STORE_LOCKED',
      `${path} is encrypted with the wrapping key ${needed}, not with the configured ${id}`,
      {
        subject: path,
        remedy:
          'Configure the wrapping key with which it was staged; if that is lost, remove the file and start the rotation again',
        details: { needed, configured: id },
      },
    );
  }
  // From here on no cause and no message of what failed goes into an error: parsers quote what they read.
  const content = await compactDecrypt(jwe, bytes, {
    keyManagementAlgorithms: ['dir'],
    contentEncryptionAlgorithms: ['A256GCM'],
  }).then(
    ({ plaintext }) => readContent(plaintext),
    () => undefined,
  );
  if (content === undefined) throw damaged(path);
  if (content.cluster !== cluster) {
    throw new KeyturnError('KEY_MALFORMED', `${path} holds the key of another cluster`, {
      subject: path,
      remedy: 'Put the files of the key store back under their own names',
    });
  }
  return parsePrivateKey(content.privatePem, path);
}

function wrappingKeyIdOf(jwe: string, path: string): string {
  try {
    const { kid, typ } = decodeProtectedHeader(jwe);
    if (typ === TYPE && typeof kid === 'string') return kid;
  } catch {
    // Said below.
  }
  throw damaged(path);
}

function readContent(plaintext: Uint8Array): { readonly cluster: string; readonly privatePem: string } | undefined {
  try {
    const { cluster, privatePem } = JSON.parse(new TextDecoder().decode(plaintext)) as Record<string, unknown>;
    return typeof cluster === 'string' && typeof privatePem === 'string' ? { cluster, privatePem } : undefined;
  } catch {
    return undefined;
  }
}

function damaged(path: string): KeyturnError {
  return new KeyturnError('KEY_MALFORMED', `${path} is not a staged key, or is damaged`, {
    subject: path,
    remedy: 'Restore it from a backup, or, if no rotation of the cluster is under way, remove it',
  });
}

function publicHalf({ kid, alg, publicPem }: SigningKey): PublicKey {
  return { kid, alg, publicPem };
}
