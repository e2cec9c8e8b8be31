// Stands where the platform makes the key: there is nothing to stage and nothing to keep.
import { KeyturnError } from '../errors.ts';
import type { KeyStore } from './port.ts';

export class PlatformKeyStore implements KeyStore {
  readonly description = 'the platform, which makes the key and keeps it';

  async staged(): Promise<undefined> {
    return undefined;
  }

  async stage(cluster: string): Promise<never> {
    throw noKeyOfOurs(cluster);
  }

  async load(cluster: string): Promise<never> {
    throw noKeyOfOurs(cluster);
  }

  async discard(): Promise<void> {}

  async wrappingKeyId(): Promise<undefined> {
    return undefined;
  }

  async rewrap(): Promise<undefined> {
    return undefined;
  }

  async findProblems(): Promise<readonly []> {
    return [];
  }
}

function noKeyOfOurs(cluster: string): KeyturnError {
  return new KeyturnError('CONFIG_INVALID', `Cluster "${cluster}" has no key store`, {
    subject: cluster,
    remedy: 'Give it one in keyturn.yaml, or start the rotation again where its platform was changed',
  });
}
