// RSA pairs as OpenShift uses them.
import { generateKeyPairSync } from 'node:crypto';
import { parsePrivateKey } from '../../../src/keys/pem.ts';
import type { SigningKey } from '../../../src/keys/signing-key.ts';

export function rsaKeyPair(modulusLength: 2048 | 4096 = 2048): SigningKey {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength });
  return parsePrivateKey(privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(), 'a test');
}
