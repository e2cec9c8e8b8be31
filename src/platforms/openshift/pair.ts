// The key pair of one of the operator's Secrets.
import { parsePrivateKey, parsePublicKeys } from '../../keys/pem.ts';
import type { SigningKey } from '../../keys/signing-key.ts';
import type { PublicKey } from '../../rotation/key.ts';
import { PRIVATE_KEY, PUBLIC_KEY } from './names.ts';
import type { SecretObject } from './objects.ts';

/** The public half; null where there is none. @throws KEY_MALFORMED */
export function keyIn(secret: SecretObject | null, subject: string): PublicKey | null {
  const pem = decode(secret?.data?.[PUBLIC_KEY]);
  if (pem === undefined) return null;
  const [first] = parsePublicKeys(pem, `Secret ${subject}: ${PUBLIC_KEY}`);
  return first ?? null;
}

/** Whether both halves are there and belong together; the operator replaces a pair that is not whole. @throws KEY_MALFORMED */
export function isWhole(secret: SecretObject, subject: string): boolean {
  const pem = decode(secret.data?.[PRIVATE_KEY]);
  if (pem === undefined) return false;
  return parsePrivateKey(pem, `Secret ${subject}: ${PRIVATE_KEY}`).kid === keyIn(secret, subject)?.kid;
}

export function toSecretData({ privatePem, publicPem }: SigningKey): Readonly<Record<string, string>> {
  return { [PRIVATE_KEY]: encode(privatePem), [PUBLIC_KEY]: encode(publicPem) };
}

/** The two entries as they are written: a reformatted key would be another one for the operator. */
export function pairOf(secret: SecretObject): Readonly<Record<string, string>> {
  const { [PRIVATE_KEY]: privateKey = '', [PUBLIC_KEY]: publicKey = '' } = secret.data ?? {};
  return { [PRIVATE_KEY]: privateKey, [PUBLIC_KEY]: publicKey };
}

function decode(base64: string | undefined): string | undefined {
  return base64 === undefined || base64 === '' ? undefined : Buffer.from(base64, 'base64').toString('utf8');
}

function encode(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}
