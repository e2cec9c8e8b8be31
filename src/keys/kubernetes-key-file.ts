// Reads a key file as leniently as Kubernetes and azwi do: whatever is no RSA or EC key is passed over in silence.
import { X509Certificate, createPrivateKey, createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { findPemBlocks } from './pem-blocks.ts';

/** Curves that Go knows. P-224 is read and then refused by name: Kubernetes does not sign with it. */
const GO_CURVES: ReadonlySet<string> = new Set(['secp224r1', 'prime256v1', 'secp384r1', 'secp521r1']);

/**
 * The public keys of a PEM text in its order, none where there are none. Labels do not matter, only what the bytes are: SPKI, X.509
 * certificates, PKCS#1 and PKCS#8 private RSA keys, SEC1 private EC keys. No size is checked.
 *
 * Source: `ParsePublicKeysPEM` in k8s.io/client-go `util/keyutil/key.go`. For what Keyturn itself takes see `parsePublicKeys`.
 */
export function readKeysAsKubernetes(pem: string): readonly KeyObject[] {
  return findPemBlocks(pem).flatMap(({ der, encrypted }) => {
    const key = der === undefined || encrypted ? undefined : (readPrivate(der) ?? readPublic(der));
    return key !== undefined && isKnownToGo(key) ? [key] : [];
  });
}

function readPrivate(der: Buffer): KeyObject | undefined {
  const type = privateKeyType(der);
  if (type === undefined) return undefined;
  const key = attempt(() => createPrivateKey({ key: der, format: 'der', type }));
  // PKCS#8 is tried for RSA only: an EC key in it is passed over.
  return key?.asymmetricKeyType === 'ec' && type === 'pkcs8' ? undefined : key && createPublicKey(key);
}

function readPublic(der: Buffer): KeyObject | undefined {
  const spki = attempt(() => createPublicKey({ key: der, format: 'der', type: 'spki' }));
  return spki ?? attempt(() => new X509Certificate(der).publicKey);
}

/** OpenSSL takes any private form under any name; this tells them apart by their first fields, as Go's strict parsers do. */
function privateKeyType(der: Buffer): 'pkcs1' | 'pkcs8' | 'sec1' | undefined {
  const lengthByte = der[1] ?? 0;
  const version = der.subarray(2 + (lengthByte > 0x80 ? lengthByte - 0x80 : 0));
  if (der[0] !== 0x30 || version[0] !== 0x02 || version[1] !== 1) return undefined;
  if (version[3] === 0x04) return 'sec1';
  if (version[3] === 0x30) return 'pkcs8';
  return version[3] === 0x02 ? 'pkcs1' : undefined;
}

function isKnownToGo(key: KeyObject): boolean {
  if (key.asymmetricKeyType === 'rsa') return true;
  return (
    key.asymmetricKeyType === 'ec' && GO_CURVES.has(key.asymmetricKeyDetails?.namedCurve ?? '') && !isCompressed(key)
  );
}

/** Go does not read compressed points. An uncompressed one is 0x04 and two coordinates of equal length at the end. */
function isCompressed(key: KeyObject): boolean {
  const bits =
    { secp224r1: 224, prime256v1: 256, secp384r1: 384, secp521r1: 521 }[key.asymmetricKeyDetails?.namedCurve ?? ''] ??
    0;
  const der = key.export({ type: 'spki', format: 'der' });
  return der.at(-1 - 2 * Math.ceil(bits / 8)) !== 0x04 || der.length < 2 * Math.ceil(bits / 8) + 20;
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
