// Turns a public key into the JWK that kube-apiserver would publish for it.
import { createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { KeyturnError } from '../errors.ts';
import type { Jwk } from '../jwks/jwk.ts';
import type { KeyAlgorithm, PublicKey } from '../rotation/key.ts';

/** Members in the order of kube-apiserver and azwi: `use, kty, kid, [crv], alg, n, e | x, y`. */
export function toJwk(publicKey: PublicKey): Jwk {
  return keyObjectToJwk(createPublicKey(publicKey.publicPem), publicKey.kid, publicKey.alg);
}

/** The same for a key that was not checked for its size, as `azwi jwks` does it. */
export function keyObjectToJwk(key: KeyObject, kid: string, alg: KeyAlgorithm): Jwk {
  const { kty, n, e, crv, x, y } = key.export({ format: 'jwk' });
  if (kty === 'RSA' && n !== undefined && e !== undefined) return { use: 'sig', kty: 'RSA', kid, alg, n, e };
  if (kty === 'EC' && crv !== undefined && x !== undefined && y !== undefined) {
    return { use: 'sig', kty: 'EC', kid, crv, alg, x, y };
  }
  throw new KeyturnError('KEY_UNSUPPORTED', `The key ${kid} is neither RSA nor EC`, {
    subject: kid,
    remedy: 'Use an RSA or EC key',
  });
}
