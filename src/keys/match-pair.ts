// Tells whether a private and a public key are one pair.
import { KeyturnError } from '../errors.ts';
import type { KeyRef } from '../rotation/key.ts';
import type { SigningKey } from './signing-key.ts';

/**
 * @param subject where the two come from, for errors; default `the key pair`
 * @throws KEY_MISMATCHED where the public key is not the private key's other half
 */
export function matchPair(privateKey: SigningKey, publicKey: KeyRef, subject = 'the key pair'): void {
  if (privateKey.kid === publicKey.kid) return;
  throw new KeyturnError('KEY_MISMATCHED', `The private and the public key of ${subject} do not belong together`, {
    subject,
    remedy: 'Derive the public file from the private one: `openssl pkey -in private.key -pubout -out public.pub`',
    details: { privateKid: privateKey.kid, publicKid: publicKey.kid },
  });
}
