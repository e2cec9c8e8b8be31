// Makes a new key pair.
import { generateKeyPair as generate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import type { KeyType } from '../key-stores/port.ts';
import { exportPrivatePem } from './pem.ts';
import { toPublicKey } from './public-key.ts';
import type { SigningKey } from './signing-key.ts';

const generateAsync = promisify(generate);

/** RSA comes as PKCS#1, with exponent 65537; EC as SEC1. RSA with 4096 bits takes about a second, off the event loop. */
export async function generateKeyPair(type: KeyType): Promise<SigningKey> {
  const privateKey = await generatePrivateKey(type);
  return { ...toPublicKey(privateKey, `a new ${type} key`), privatePem: exportPrivatePem(privateKey) };
}

async function generatePrivateKey(type: KeyType): Promise<KeyObject> {
  switch (type) {
    case 'rsa-2048':
      return (await generateAsync('rsa', { modulusLength: 2048 })).privateKey;
    case 'rsa-3072':
      return (await generateAsync('rsa', { modulusLength: 3072 })).privateKey;
    case 'rsa-4096':
      return (await generateAsync('rsa', { modulusLength: 4096 })).privateKey;
    case 'ec-p256':
      return (await generateAsync('ec', { namedCurve: 'P-256' })).privateKey;
    case 'ec-p384':
      return (await generateAsync('ec', { namedCurve: 'P-384' })).privateKey;
    case 'ec-p521':
      return (await generateAsync('ec', { namedCurve: 'P-521' })).privateKey;
  }
}
