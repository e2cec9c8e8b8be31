// A key pair in memory. Only key stores, platforms and activities hold one, and only as long as they need it.
import type { PublicKey } from '../rotation/key.ts';

/** Never logged, never put into an error, a heartbeat, a payload or a report. */
export interface SigningKey extends PublicKey {
  /** The private key as unencrypted PEM, as it is written to a node. */
  readonly privatePem: string;
}
