// Where the private half of a new key lives between Staging and Retiring.
import type { SigningKey } from '../keys/signing-key.ts';
import type { Kid, PublicKey } from '../rotation/key.ts';

/** Kinds of key that Kubernetes accepts for signing. */
export type KeyType = 'rsa-2048' | 'rsa-3072' | 'rsa-4096' | 'ec-p256' | 'ec-p384' | 'ec-p521';

/** Holds at most one staged key per cluster, so that a run that takes over finds the same new key. */
export interface KeyStore {
  /** For people, e.g. `encrypted-file /var/lib/keyturn/keys`. */
  readonly description: string;

  /** The staged key of the cluster, if there is one. */
  staged(cluster: string): Promise<PublicKey | undefined>;

  /** Makes or imports the cluster's next key, or returns the one that is already staged. Idempotent. */
  stage(cluster: string): Promise<PublicKey>;

  /** @throws KEY_NOT_FOUND where the staged key is missing or has another kid */
  load(cluster: string, kid: Kid): Promise<SigningKey>;

  /** Forgets the staged key if it has this kid. Nothing happens if it is gone already. A key that the user brought is left to the user. */
  discard(cluster: string, kid: Kid): Promise<void>;
}
