// Keeps staged keys sealed in files, in a directory of their own.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { KeyturnError } from '../errors.ts';
import { generateKeyPair } from '../keys/generate.ts';
import { publicHalf } from '../keys/public-half.ts';
import type { SigningKey } from '../keys/signing-key.ts';
import type { Kid, PublicKey } from '../rotation/key.ts';
import type { Problem } from '../rotation/observation.ts';
import { clearRemoved, createFolder, ensurePrivateDirectory, openReplacement, removeFolder } from './atomic-folder.ts';
import type { KeyWrapper } from './key-wrapper.ts';
import type { KeyStore, KeyType, Rewrap } from './port.ts';
import { codeOf } from './private-file.ts';
import { cameAndWent, damaged, notStaged } from './refusals.ts';
import { findWrapperProblems, rewrapKey, sealKey, unsealKey } from './sealed-key.ts';
import type { SealedKey } from './sealed-key.ts';
import { stagedName } from './staged-name.ts';

export interface EncryptedFileKeyStoreOptions {
  /** Made with permissions 0700 where it is missing. Workers that may take over from each other need the same one. */
  readonly directory: string;
  readonly wrapper: KeyWrapper;
  /** Kind of the keys that are made. */
  readonly keyType: KeyType;
}

const FILE_NAME = 'staged-key.json';

const fileContent: z.ZodType<SealedKey> = z.object({
  jwe: z.string(),
  dataKey: z.object({ wrappingKeyId: z.string(), wrapped: z.string() }),
});

/**
 * One folder per cluster with one file in it. The folder is what comes and goes: a re-wrap writes inside of the one that it has read, so it cannot
 * bring a key back that was discarded at that moment, nor write over the next one.
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

  /** @throws KEY_STORE_LOCKED KEY_STORE_UNREACHABLE FILE_TOO_OPEN FILE_UNREADABLE KEY_MALFORMED */
  async stage(cluster: string): Promise<PublicKey> {
    const present = await this.staged(cluster);
    if (present !== undefined) return present;
    const { directory, wrapper, keyType } = this.#options;
    const key = await generateKeyPair(keyType);
    const sealed = await sealKey(key, cluster, wrapper);
    await ensurePrivateDirectory(directory);
    if (await createFolder(this.#folder(cluster), FILE_NAME, JSON.stringify(sealed))) return publicHalf(key);
    const winner = await this.staged(cluster);
    if (winner !== undefined) return winner;
    throw cameAndWent(cluster, this.#file(cluster));
  }

  async load(cluster: string, kid: Kid): Promise<SigningKey> {
    const key = await this.#read(cluster);
    if (key?.kid === kid) return key;
    throw notStaged(cluster, kid, key?.kid, this.#file(cluster));
  }

  async discard(cluster: string, kid: Kid): Promise<void> {
    const key = await this.#read(cluster);
    if (key?.kid === kid) await removeFolder(this.#folder(cluster));
    else await clearRemoved(this.#folder(cluster));
  }

  async wrappingKeyId(cluster: string): Promise<string | undefined> {
    return (await this.#readSealed(cluster))?.dataKey.wrappingKeyId;
  }

  async rewrap(cluster: string): Promise<Rewrap | undefined> {
    const file = this.#file(cluster);
    const replacement = await openReplacement(file);
    try {
      const sealed = replacement && (await this.#readSealed(cluster));
      if (sealed === undefined) return undefined;
      const rewrapped = await rewrapKey(sealed, cluster, this.#options.wrapper, file);
      // Where that key was discarded meanwhile, another may have been staged.
      if (rewrapped !== sealed && !(await replacement?.commit(JSON.stringify(rewrapped))))
        return await this.rewrap(cluster);
      return { from: sealed.dataKey.wrappingKeyId, to: rewrapped.dataKey.wrappingKeyId };
    } finally {
      await replacement?.close();
    }
  }

  findProblems(_cluster: string): Promise<readonly Problem[]> {
    return findWrapperProblems(this.#options.wrapper);
  }

  async #read(cluster: string): Promise<SigningKey | undefined> {
    const sealed = await this.#readSealed(cluster);
    return sealed && unsealKey(sealed, cluster, this.#options.wrapper, this.#file(cluster));
  }

  async #readSealed(cluster: string): Promise<SealedKey | undefined> {
    const file = this.#file(cluster);
    let text: string;
    try {
      text = await readFile(file, 'utf8');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw new KeyturnError('FILE_UNREADABLE', `The staged key ${file} cannot be read (${codeOf(error)})`, {
        subject: file,
        remedy: 'Let the user who runs Keyturn own the directory and its files',
        details: { reason: codeOf(error) },
      });
    }
    return parseContent(text, file);
  }

  #folder(cluster: string): string {
    return join(this.#options.directory, stagedName(cluster));
  }

  #file(cluster: string): string {
    return join(this.#folder(cluster), FILE_NAME);
  }
}

function parseContent(text: string, file: string): SealedKey {
  try {
    return fileContent.parse(JSON.parse(text));
  } catch {
    throw damaged(file);
  }
}
