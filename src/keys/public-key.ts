// Names a public key and refuses those with which Kubernetes could not sign.
import { createPublicKey } from 'node:crypto';
import type { JsonWebKey, KeyObject } from 'node:crypto';
import { KeyturnError } from '../errors.ts';
import type { KeyAlgorithm, PublicKey } from '../rotation/key.ts';
import { kidOf } from './kid.ts';

const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 4096;
/** Go's crypto/rsa refuses larger exponents, and even or smaller ones make no signature. */
const MAX_RSA_EXPONENT = 2n ** 31n - 1n;

const CURVE_ALGORITHMS: Readonly<Record<string, KeyAlgorithm>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
};

/**
 * @param key a public key, or a private one whose public half is meant
 * @param subject where the key comes from, for errors
 * @throws KEY_UNSUPPORTED for RSA below 2048 or above 4096 bits, other curves than P-256, P-384 and P-521, and other kinds
 */
export function toPublicKey(key: KeyObject, subject: string): PublicKey {
  const alg = algorithmOf(key, subject);
  // By way of the JWK, so that a compressed EC point or explicit parameters give the same bytes, and so the same kid, as Go gives.
  const canonical = createPublicKey({ key: publicJwk(key), format: 'jwk' });
  const der = canonical.export({ type: 'spki', format: 'der' });
  const publicPem = canonical.export({ type: 'spki', format: 'pem' }).toString();
  return { kid: kidOf(der), alg, publicPem };
}

/** What Kubernetes signs with for an EC key, or undefined where the key is none or on another curve. */
export function algorithmOfCurve(key: KeyObject): KeyAlgorithm | undefined {
  const curve = key.asymmetricKeyDetails?.namedCurve ?? '';
  return Object.hasOwn(CURVE_ALGORITHMS, curve) ? CURVE_ALGORITHMS[curve] : undefined;
}

function publicJwk(key: KeyObject): JsonWebKey {
  const { kty, n, e, crv, x, y } = key.export({ format: 'jwk' });
  return JSON.parse(JSON.stringify({ kty, n, e, crv, x, y })) as JsonWebKey;
}

function algorithmOf(key: KeyObject, subject: string): KeyAlgorithm {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = key;
  if (type === 'rsa') {
    const { modulusLength = 0, publicExponent = 0n } = details;
    if (modulusLength < MIN_RSA_BITS || modulusLength > MAX_RSA_BITS) {
      throw unsupported(`is RSA with ${modulusLength} bits`, subject);
    }
    if (publicExponent < 3n || publicExponent % 2n === 0n || publicExponent > MAX_RSA_EXPONENT) {
      throw unsupported(`is RSA with the public exponent ${publicExponent}`, subject);
    }
    return 'RS256';
  }
  if (type === 'ec') {
    const alg = algorithmOfCurve(key);
    if (alg === undefined) throw unsupported(`is on the curve ${details.namedCurve ?? 'without a name'}`, subject);
    return alg;
  }
  throw unsupported(`is of the kind ${type ?? 'unknown'}`, subject);
}

function unsupported(what: string, subject: string): KeyturnError {
  return new KeyturnError('KEY_UNSUPPORTED', `The key in ${subject} ${what}`, {
    subject,
    remedy: 'Use RSA with 2048 to 4096 bits, or EC on P-256, P-384 or P-521: Kubernetes signs with nothing else',
  });
}
