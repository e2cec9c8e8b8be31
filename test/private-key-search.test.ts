// The search for private keys that other tests rely on: it finds each form, and nothing where there is nothing.
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { PrivateKeySearch } from './fixtures/private-key-search.ts';

const keys = {
  'RSA 2048': generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  'RSA 4096': generateKeyPairSync('rsa', { modulusLength: 4096 }).privateKey,
  'EC P-256': generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  'EC P-384': generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
  'EC P-521': generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey,
} as const;

const kind = (key: KeyObject) => (key.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'sec1');
const der = (key: KeyObject) => key.export({ type: kind(key), format: 'der' });
const pem = (key: KeyObject) => key.export({ type: kind(key), format: 'pem' }).toString();
const pkcs8 = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }).toString();
const members = (key: KeyObject) => {
  const { d, p, q, dp, dq, qi } = key.export({ format: 'jwk' });
  return Object.entries({ d, p, q, dp, dq, qi }).flatMap(([name, text]) => (text === undefined ? [] : [[name, text]]));
};

/** Of everything that is planted both halves are searched for alone, too: something secret is in either. */
const encodings: Readonly<Record<string, (key: KeyObject) => Buffer | string>> = {
  'PEM as kubeadm writes it': pem,
  'PEM, PKCS#8': pkcs8,
  'PEM in JSON': (key) => JSON.stringify({ key: pem(key) }),
  'PEM in JSON in JSON': (key) => JSON.stringify(JSON.stringify({ key: pem(key) })),
  'PEM with CRLF': (key) => pem(key).replaceAll('\n', '\r\n'),
  'PEM indented in YAML': (key) => pem(key).replaceAll('\n', '\n        '),
  'PEM in base64, as in a Secret': (key) => Buffer.from(pem(key)).toString('base64'),
  DER: der,
  'DER in base64': (key) => der(key).toString('base64'),
  'DER in base64url': (key) => der(key).toString('base64url'),
  'DER in base64 in an address': (key) => encodeURIComponent(der(key).toString('base64')),
  'DER in base64 twice': (key) => Buffer.from(der(key).toString('base64')).toString('base64'),
  'DER in hex': (key) => der(key).toString('hex'),
  'DER in capital hex': (key) => der(key).toString('hex').toUpperCase(),
  'DER as JSON of a Buffer': (key) => JSON.stringify(der(key)),
  'DER as a list of numbers': (key) => `[${[...der(key)].join(', ')}]`,
  'DER as the console prints a Buffer': (key) => `<Buffer ${(der(key).toString('hex').match(/../g) ?? []).join(' ')}>`,
  'DER as Go prints it': (key) => `[${der(key).join(' ')}]`,
  JWK: (key) => JSON.stringify(key.export({ format: 'jwk' })),
  'JWK as a JSON payload in an exported history': (key) =>
    Buffer.from(JSON.stringify(key.export({ format: 'jwk' }))).toString('base64'),
};

describe.each(Object.entries(keys))('%s', (_, key) => {
  const search = new PrivateKeySearch({ key: pem(key) });

  test.each(Object.entries(encodings))('is found as %s, among other bytes', (_name, encode) => {
    const encoded = Buffer.from(encode(key));
    const noise = randomBytes(10_000);
    for (const before of [0, 1, 2]) {
      const planted = Buffer.concat([noise.subarray(0, 5000 + before), encoded, noise]);
      expect(search.find(planted)).not.toEqual([]);
    }
  });

  test('each secret member is found alone, whole and in halves, in every encoding', () => {
    for (const [name, text] of members(key)) {
      const bytes = Buffer.from(text ?? '', 'base64url');
      const half = Math.floor(bytes.length / 2);
      for (const part of [bytes, bytes.subarray(0, half), bytes.subarray(half)]) {
        const forms = [
          part,
          part.toString('base64'),
          part.toString('base64url'),
          part.toString('hex'),
          part.toString('hex').toUpperCase(),
          (part.toString('hex').match(/../g) ?? []).join(':'),
          JSON.stringify([...part]),
          part.join(' '),
          Buffer.from(part.toString('base64')).toString('base64'),
        ];
        for (const form of forms) expect(search.find(form), `${name} as ${String(form)}`).not.toEqual([]);
      }
      expect(search.find(BigInt(`0x${bytes.toString('hex')}`).toString()), name).not.toEqual([]);
    }
  });

  test('its public half is not taken for it, nor is another key', () => {
    const publicKey = createPublicKey(pem(key));
    const spki = publicKey.export({ type: 'spki', format: 'der' });
    const jwk = JSON.stringify(publicKey.export({ format: 'jwk' }));
    const shown = [spki, spki.toString('base64'), spki.toString('hex'), jwk, JSON.stringify([...spki])];
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    for (const text of [...shown, pem(other), JSON.stringify(other.export({ format: 'jwk' }))]) {
      expect(search.find(text)).toEqual([]);
    }
    expect(search.find(randomBytes(2 ** 20))).toEqual([]);
  });
});

test('either half of a PEM or DER file is found alone', () => {
  for (const key of [keys['RSA 2048'], keys['RSA 4096']]) {
    const search = new PrivateKeySearch({ key: pem(key) });
    for (const text of [pem(key), pkcs8(key), der(key).toString('hex'), der(key).toString('base64')]) {
      expect(search.find(text.slice(0, text.length / 2))).not.toEqual([]);
      expect(search.find(text.slice(text.length / 2))).not.toEqual([]);
    }
  }
});

test('in a folder each file is named with what is in it, also where the parts that are read meet', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'keyturn-search-'));
  try {
    const key = keys['EC P-256'];
    const d = Buffer.from(createPrivateKey(pem(key)).export({ format: 'jwk' }).d ?? '', 'base64url');
    await mkdir(path.join(folder, 'deep'));
    await writeFile(path.join(folder, 'deep', 'log'), Buffer.concat([Buffer.alloc(2 ** 20 - 7), d]));
    await writeFile(path.join(folder, 'public'), JSON.stringify(createPublicKey(key).export({ format: 'jwk' })));
    const search = new PrivateKeySearch({ other: pem(keys['RSA 2048']), 'the key': pem(key) });
    const found = await search.findInFolder(folder);
    expect(Object.keys(found)).toEqual(['deep/log']);
    expect(found['deep/log']).toContain('the key: d, first half, bytes');
  } finally {
    await rm(folder, { recursive: true });
  }
});
