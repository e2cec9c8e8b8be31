// Takes the next key from PEM files that the user made.
import { readFile } from 'node:fs/promises';
import { KeyturnError } from '../errors.ts';
import { matchPair } from '../keys/match-pair.ts';
import { parsePrivateKey, parsePublicKeys } from '../keys/pem.ts';
import { publicHalf } from '../keys/public-half.ts';
import type { SigningKey } from '../keys/signing-key.ts';
import type { Kid, PublicKey } from '../rotation/key.ts';
import type { Problem } from '../rotation/observation.ts';
import type { KeyStore } from './port.ts';
import { codeOf, isMissing, readPrivateFile } from './private-file.ts';

export interface BringYourOwnKeyStoreOptions {
  /** RSA with 2048 to 4096 bits, or EC on P-256, P-384 or P-521; PKCS#1, SEC1 or PKCS#8; not encrypted; permissions at most 0600. */
  readonly privateKeyFile: string;
  /** Checked against the private key where it is given. */
  readonly publicKeyFile?: string;
}

/** The files are the user's: they are read each time and never changed or removed. They serve the one cluster that is configured with them. */
export class BringYourOwnKeyStore implements KeyStore {
  readonly description: string;
  readonly #options: BringYourOwnKeyStoreOptions;

  constructor(options: BringYourOwnKeyStoreOptions) {
    this.description = `bring-your-own ${options.privateKeyFile}`;
    this.#options = options;
  }

  /** The key of the files, or undefined where there is no private key file yet. Other trouble is thrown as by `stage`. */
  async staged(cluster: string): Promise<PublicKey | undefined> {
    try {
      return await this.stage(cluster);
    } catch (error) {
      if (isMissing(error) && error instanceof KeyturnError && error.subject === this.#options.privateKeyFile) {
        return undefined;
      }
      throw error;
    }
  }

  /** @throws FILE_UNREADABLE FILE_TOO_OPEN KEY_MALFORMED KEY_ENCRYPTED KEY_UNSUPPORTED KEY_MISMATCHED */
  async stage(_cluster: string): Promise<PublicKey> {
    return publicHalf(await this.#read());
  }

  async load(cluster: string, kid: Kid): Promise<SigningKey> {
    const key = await this.#read();
    if (key.kid === kid) return key;
    throw new KeyturnError(
      'KEY_NOT_FOUND',
      `${this.#options.privateKeyFile} holds another key than the one staged for ${cluster}`,
      {
        subject: this.#options.privateKeyFile,
        remedy: 'Put the staged key back there until the rotation has ended',
        details: { wanted: kid, found: key.kid },
      },
    );
  }

  discard(_cluster: string, _kid: Kid): Promise<void> {
    return Promise.resolve();
  }

  wrappingKeyId(_cluster: string): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  rewrap(_cluster: string): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  /** None besides those that `stage` and `staged` throw. */
  findProblems(_cluster: string): Promise<readonly Problem[]> {
    return Promise.resolve([]);
  }

  async #read(): Promise<SigningKey> {
    const { privateKeyFile, publicKeyFile } = this.#options;
    const key = parsePrivateKey(await readPrivateFile(privateKeyFile), privateKeyFile);
    if (publicKeyFile === undefined) return key;
    const [publicKey, ...others] = parsePublicKeys(await readPublicFile(publicKeyFile), publicKeyFile);
    if (publicKey === undefined || others.length > 0) {
      throw new KeyturnError(
        'KEY_MALFORMED',
        `${publicKeyFile} holds ${others.length + 1} keys where one is expected`,
        {
          subject: publicKeyFile,
          remedy: 'Leave only the public half of the new private key in it, or leave the setting out',
        },
      );
    }
    matchPair(key, publicKey, `${privateKeyFile} and ${publicKeyFile}`);
    return key;
  }
}

async function readPublicFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new KeyturnError('FILE_UNREADABLE', `${path} cannot be read (${codeOf(error)})`, {
      subject: path,
      remedy: 'Check the path, and that the user who runs Keyturn may read the file',
      details: { reason: codeOf(error) },
    });
  }
}
