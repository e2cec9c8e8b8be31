// The first ServiceAccount key pair of a cluster, in the PEM forms that kubeadm writes.
import { generateKeyPairSync } from 'node:crypto';
import type { KeyType } from '../../key-stores/port.ts';

export interface SigningKeyFiles {
  /** Content of sa.key: `RSA PRIVATE KEY` (PKCS#1) or `EC PRIVATE KEY` (SEC 1). */
  readonly privatePem: string;
  /** Content of sa.pub: `PUBLIC KEY` (SPKI). */
  readonly publicPem: string;
}

const curves = { 'ec-p256': 'P-256', 'ec-p384': 'P-384', 'ec-p521': 'P-521' } as const;
const modulusBits = { 'rsa-2048': 2048, 'rsa-3072': 3072, 'rsa-4096': 4096 } as const;

export function generateSigningKeyFiles(type: KeyType): SigningKeyFiles {
  const publicKeyEncoding = { type: 'spki', format: 'pem' } as const;
  const { privateKey, publicKey } =
    type === 'ec-p256' || type === 'ec-p384' || type === 'ec-p521'
      ? generateKeyPairSync('ec', {
          namedCurve: curves[type],
          publicKeyEncoding,
          privateKeyEncoding: { type: 'sec1', format: 'pem' },
        })
      : generateKeyPairSync('rsa', {
          modulusLength: modulusBits[type],
          publicKeyEncoding,
          privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
        });
  return { privatePem: privateKey, publicPem: publicKey };
}
