// Where the private half of a new key lives between Staging and Retiring.
import type { SigningKey } from '../keys/signing-key.ts';
import type { Kid, PublicKey } from '../rotation/key.ts';
import type { Problem } from '../rotation/observation.ts';

/** Kinds of key that Kubernetes accepts for signing. */
export type KeyType = 'rsa-2048' | 'rsa-3072' | 'rsa-4096' | 'ec-p256' | 'ec-p384' | 'ec-p521';

/** Ids of wrapping keys, before and after; equal where nothing had to be done. */
export interface Rewrap {
  readonly from: string;
  readonly to: string;
}

/** Holds at most one staged key per cluster, so that a run that takes over finds the same new key. */
export interface KeyStore {
  /** For people, e.g. `encrypted-file /var/lib/keyturn/keys`. */
  readonly description: string;

  /** The staged key of the cluster, if there is one. */
  staged(cluster: string): Promise<PublicKey | undefined>;

  /**
   * Makes or imports the cluster's next key, or returns the one that is already staged. Idempotent.
   * @param rotationId for whom; stands beside the key where the store can tell it
   */
  stage(cluster: string, rotationId?: string): Promise<PublicKey>;

  /** @throws KEY_NOT_FOUND where the staged key is missing or has another kid */
  load(cluster: string, kid: Kid): Promise<SigningKey>;

  /** Forgets the staged key if it has this kid. Nothing happens if it is gone already. A key that the user brought is left to the user. */
  discard(cluster: string, kid: Kid): Promise<void>;

  /** Under which wrapping key the staged key lies; undefined where none is staged, or the store does not encrypt it. */
  wrappingKeyId(cluster: string): Promise<string | undefined>;

  /**
   * Brings the staged key under the present wrapping key, while rotations run. Idempotent. Undefined where none is staged, or the store does not
   * encrypt it.
   */
  rewrap(cluster: string): Promise<Rewrap | undefined>;

  /** Everything that would keep it from serving this cluster. Changes nothing. @throws what cannot be found out now */
  findProblems(cluster: string): Promise<readonly Problem[]>;
}
