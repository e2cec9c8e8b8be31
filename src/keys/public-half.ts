// What of a key pair may leave the hands that hold it.
import type { PublicKey } from '../rotation/key.ts';
import type { SigningKey } from './signing-key.ts';

export function publicHalf({ kid, alg, publicPem }: SigningKey): PublicKey {
  return { kid, alg, publicPem };
}
