// Keys in PEM: what is accepted is the key that OpenSSL reads in the same bytes, and no error tells of a private one.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  sign,
  verify,
  X509Certificate,
  type KeyObject,
} from 'node:crypto';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { KeyturnError } from '../../../src/errors.ts';
import { readKeysAsKubernetes } from '../../../src/keys/kubernetes-key-file.ts';
import { parsePrivateKey, parsePublicKeys } from '../../../src/keys/pem.ts';
import { PrivateKeySearch } from '../../fixtures/private-key-search.ts';
import type { FuzzTarget } from '../run-target.ts';

const vector = (name: string) => readFileSync(new URL(`../../vectors/jwks/${name}`, import.meta.url), 'utf8');
const pairs = [
  generateKeyPairSync('rsa', { modulusLength: 2048 }),
  generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  generateKeyPairSync('ec', { namedCurve: 'P-521' }),
];
const own = pairs.map(({ privateKey }) => ({
  traditional: privateKey
    .export({ type: privateKey.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'sec1', format: 'pem' })
    .toString(),
  pkcs8: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  encrypted: privateKey
    .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' })
    .toString(),
}));
const privateSeeds = [
  ...own.flatMap(({ traditional, pkcs8, encrypted }) => [traditional, pkcs8, encrypted]),
  vector('rsa-a.key'),
  vector('ec-prime256v1.key'),
  `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${vector('ec-prime256v1.key')}`,
];
const publicSeeds = [
  ...[
    'rsa-a.pub',
    'rsa-b.pub',
    'bundle.pub',
    'ec-prime256v1.pub',
    'openshift-labelled-spki.pub',
    'rsa4096-pkcs1.pub',
  ].map(vector),
  ...pairs.map(({ publicKey }) => publicKey.export({ type: 'spki', format: 'pem' }).toString()),
  vector('rsa-a.key'),
];
const search = new PrivateKeySearch(
  Object.fromEntries(
    [...own.map(({ pkcs8 }) => pkcs8), vector('rsa-a.key'), vector('ec-prime256v1.key')].map((pem, i) => [
      `seed ${i}`,
      pem,
    ]),
  ),
);
const tokens = [
  ...[
    'PUBLIC KEY',
    'RSA PUBLIC KEY',
    'PRIVATE KEY',
    'RSA PRIVATE KEY',
    'EC PRIVATE KEY',
    'CERTIFICATE',
    'ENCRYPTED PRIVATE KEY',
  ].flatMap((label) => [`-----BEGIN ${label}-----\n`, `-----END ${label}-----\n`, label]),
  'Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n',
  '-----',
  '=',
  '==',
  'AQAB',
  'A'.repeat(64),
];
const extremes = [
  '-----BEGIN '.repeat(10_000),
  `-----BEGIN PUBLIC KEY-----\n${'-'.repeat(100_000)}`,
  `-----BEGIN PUBLIC KEY-----\n${'-----END '.repeat(20_000)}`,
  `-----BEGIN PUBLIC KEY-----\n${'a: b\n '.repeat(30_000)}`,
  `-----BEGIN PUBLIC KEY-----\n${'A'.repeat(200_000)}\n-----END PUBLIC KEY-----`,
  vector('rsa-a.pub').repeat(400),
];

/** What is the same in two readings of one key. */
function nameOf(key: KeyObject): string {
  const { kty, n, e, crv, x, y } = createPublicKey(
    key.type === 'private' ? key.export({ type: 'pkcs8', format: 'pem' }) : key.export({ type: 'spki', format: 'pem' }),
  ).export({ format: 'jwk' });
  return JSON.stringify({ kty, n, e, crv, x, y });
}

/** A block as OpenSSL wants it: lines of 64 characters, and a label for what it is. */
function rewrapped(block: string, label: string): string {
  const body = block.replaceAll(/-----[^-\n]*-----/g, '').replaceAll(/\s/g, '');
  return `-----BEGIN ${label}-----\n${(body.match(/.{1,64}/g) ?? []).join('\n')}\n-----END ${label}-----\n`;
}

function openSslReads(block: string): KeyObject {
  return block.startsWith('-----BEGIN CERTIFICATE')
    ? new X509Certificate(rewrapped(block, 'CERTIFICATE')).publicKey
    : createPublicKey(rewrapped(block, 'PUBLIC KEY'));
}

function hashOf(publicPem: string): string {
  const der = createPublicKey(publicPem).export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('base64url');
}

/** Runs it; where it is refused, neither message, details, cause nor stack may tell of a private key. */
function withoutLeak<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    const told = [
      error.message,
      error.remedy,
      error.subject,
      JSON.stringify(error.details),
      error.stack,
      String(error.cause),
    ];
    const found = search.find(told.join('\n'));
    if (found.length > 0) throw new Error(`the error tells ${found.join(', ')}`, { cause: error });
    throw error;
  }
}

export const publicKeys: FuzzTarget = {
  name: 'public keys in PEM',
  seeds: publicSeeds,
  extremes,
  tokens,
  accepts(input) {
    const keys = withoutLeak(() => parsePublicKeys(input, 'sa.pub'));
    if (keys.length === 0) throw new Error('accepted without a key');
    for (const { kid, publicPem, block } of keys) {
      if (hashOf(publicPem) !== kid) throw new Error(`the kid ${kid} is not that of its key`);
      if (nameOf(openSslReads(block)) !== nameOf(createPublicKey(publicPem)))
        throw new Error('OpenSSL reads another key');
      if (search.find(block + publicPem).length > 0) throw new Error('a private key is handed out as a public one');
    }
    return true;
  },
};

export const privateKeys: FuzzTarget = {
  name: 'private keys in PEM',
  seeds: privateSeeds,
  extremes,
  tokens,
  accepts(input) {
    const { kid, publicPem, privatePem } = withoutLeak(() => parsePrivateKey(input, 'sa.key'));
    if (hashOf(publicPem) !== kid) throw new Error(`the kid ${kid} is not that of its key`);
    const key = createPrivateKey(privatePem);
    const probe = Buffer.from('probe');
    if (!verify('sha256', probe, publicPem, sign('sha256', probe, key)))
      throw new Error('the halves do not belong together');
    const blocks = [...input.matchAll(/-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----[^-]*-----END \1-----/g)];
    const read = blocks.map(([block, label = '']) => nameOf(createPrivateKey(rewrapped(block, label))));
    if (!read.includes(nameOf(key))) throw new Error('OpenSSL reads another key');
    return true;
  },
};

export const kubernetesKeyFiles: FuzzTarget = {
  name: 'key files as Kubernetes reads them',
  seeds: [...publicSeeds, ...privateSeeds],
  extremes,
  tokens,
  accepts(input) {
    const keys = readKeysAsKubernetes(input);
    for (const key of keys) {
      if (key.type !== 'public') throw new Error('a private key is handed out');
      if (!['rsa', 'ec'].includes(key.asymmetricKeyType ?? '')) throw new Error(`accepted ${key.asymmetricKeyType}`);
    }
    return keys.length > 0;
  },
};
