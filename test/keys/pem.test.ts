// What Keyturn reads from PEM, and how it refuses the rest.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { KeyturnError } from '../../src/errors.ts';
import { generateKeyPair } from '../../src/keys/generate.ts';
import { toJwk } from '../../src/keys/jwk.ts';
import { matchPair } from '../../src/keys/match-pair.ts';
import { parsePrivateKey, parsePublicKeys } from '../../src/keys/pem.ts';

const vector = (name: string): string => readFileSync(new URL(`../vectors/jwks/${name}`, import.meta.url), 'utf8');
const openssl = (...args: string[]): string =>
  execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

const RSA_A = 'QURb8A9WSmQrfRehCTQ0VWBKTwPBWbpr72GGZ4WlKsE';
const RSA_B = '7EfI1MWquSO_AllCE7DfMEegkFcM4HBLL2V1Q2rZg4w';
const EC = 'IIkRzv4pjhWGrF8DP9f5n28HhZH_N9UuFFyNp5Il2m0';

function refusal(run: () => unknown): KeyturnError {
  try {
    run();
  } catch (error) {
    if (error instanceof KeyturnError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const rsa = (modulusLength: number, publicExponent = 65537) =>
  generateKeyPairSync('rsa', {
    modulusLength,
    publicExponent,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve });

describe('parsePublicKeys', () => {
  test.each([
    ['rsa-a.pub', [[RSA_A, 'RS256']]],
    ['bundle.pub', [[RSA_A, 'RS256'], [RSA_B, 'RS256']]], // prettier-ignore
    ['ec-prime256v1.pub', [[EC, 'ES256']]],
    ['openshift-labelled-spki.pub', [['IV0GxskvZ97Pbw2jVQ0Liv-7x66tr3nA6nh18d-wfFE', 'RS256']]],
    ['rsa-a.key', [[RSA_A, 'RS256']]],
    ['ec-prime256v1.key', [[EC, 'ES256']]],
  ])('%s', (file, expected) => {
    expect(parsePublicKeys(vector(file), file).map(({ kid, alg }) => [kid, alg])).toEqual(expected);
  });

  test('keeps the order of a file with public and private blocks, and the text of each public block', () => {
    const text = `# two keys\n${vector('openshift-labelled-spki.pub')}between\r\n${vector('rsa-a.key')}${vector('rsa-b.pub')}`;
    const keys = parsePublicKeys(text, 'mixed.pem');
    expect(keys.map(({ block }) => block)).toEqual([
      vector('openshift-labelled-spki.pub').trimEnd(),
      vector('rsa-a.pub').trimEnd(), // never the private text
      vector('rsa-b.pub').trimEnd(),
    ]);
    expect(keys[0]?.publicPem).toMatch(/^-----BEGIN PUBLIC KEY-----\n[^]*-----END PUBLIC KEY-----\n$/);
  });

  test('reads CRLF line ends', () => {
    const [key] = parsePublicKeys(vector('rsa-a.pub').replaceAll('\n', '\r\n'), 'crlf.pub');
    expect(key?.kid).toBe(RSA_A);
  });

  test('reads a compressed EC point and gives it the kid of the usual encoding', () => {
    const { publicKey } = ec('P-256');
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const compressed = execFileSync('openssl', ['ec', '-pubin', '-conv_form', 'compressed'], {
      input: pem,
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    expect(compressed).not.toBe(pem);
    expect(parsePublicKeys(compressed, 'a')[0]?.kid).toBe(parsePublicKeys(pem, 'b')[0]?.kid);
  });

  const cut = vector('rsa-a.pub').slice(0, -20);
  test.each([
    ['nothing', '', 'KEY_MALFORMED', /is empty/],
    ['white space', ' \n\n', 'KEY_MALFORMED', /is empty/],
    ['garbage', 'ssh-rsa AAAA', 'KEY_MALFORMED', /is not PEM/],
    ['a block that is cut off', cut, 'KEY_MALFORMED', /cut off/],
    ['a whole block and one that is cut off', vector('rsa-b.pub') + cut, 'KEY_MALFORMED', /cut off/],
    ['other bytes than base64', vector('rsa-a.pub').replace('MIIB', 'MI*B'), 'KEY_MALFORMED', /not base64/],
    [
      'base64 of something else',
      '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n',
      'KEY_MALFORMED',
      /decoded/,
    ],
    ['true PKCS#1', vector('rsa4096-pkcs1.pub'), 'KEY_MALFORMED', /PKCS#1.*RSAPublicKey_in/],
    [
      'a certificate request',
      vector('rsa-a.pub').replaceAll('PUBLIC KEY', 'CERTIFICATE REQUEST'),
      'KEY_MALFORMED',
      /not a key/,
    ],
    ['RSA with 1024 bits', rsa(1024).publicKey, 'KEY_UNSUPPORTED', /1024 bits/],
    ['RSA with 2040 bits', rsa(2040).publicKey, 'KEY_UNSUPPORTED', /2040 bits/],
    ['RSA with 4104 bits', rsa(4104).publicKey, 'KEY_UNSUPPORTED', /4104 bits/],
    ['secp256k1', ec('secp256k1').publicKey.export({ type: 'spki', format: 'pem' }), 'KEY_UNSUPPORTED', /secp256k1/],
    ['P-224', ec('secp224r1').publicKey.export({ type: 'spki', format: 'pem' }), 'KEY_UNSUPPORTED', /secp224r1/],
    [
      'Ed25519',
      generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }),
      'KEY_UNSUPPORTED',
      /ed25519/,
    ],
    [
      'RSA-PSS',
      generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'pem' }),
      'KEY_UNSUPPORTED',
      /rsa-pss/,
    ],
    [
      'an EC key as PKCS#8',
      ec('P-256').privateKey.export({ type: 'pkcs8', format: 'pem' }),
      'KEY_UNSUPPORTED',
      /skips/,
    ],
  ])('refuses %s', (_, pem, code, message) => {
    const error = refusal(() => parsePublicKeys(String(pem), 'node-1:/pki/sa.pub'));
    expect(error).toMatchObject({
      code,
      subject: 'node-1:/pki/sa.pub',
      message: expect.stringMatching(message) as unknown,
    });
  });

  test('reads the key of a certificate, as kube-apiserver does', () => {
    const pem = openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      '/dev/null',
      '-subj',
      '/CN=x',
      '-days',
      '1',
    );
    expect(parsePublicKeys(pem, 'tls.crt')[0]?.alg).toBe('RS256');
  });
});

describe('parsePrivateKey', () => {
  const pkcs8 = (curve: string) => ec(curve).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  test.each([
    ['PKCS#8 RSA', vector('rsa-a.key'), 'RS256', 'RSA PRIVATE KEY'],
    ['SEC1', vector('ec-prime256v1.key'), 'ES256', 'EC PRIVATE KEY'],
    ['PKCS#1', openssl('genrsa', '-traditional', '2048'), 'RS256', 'RSA PRIVATE KEY'],
    ['PKCS#8 P-384', pkcs8('P-384'), 'ES384', 'EC PRIVATE KEY'],
    ['PKCS#8 P-521', pkcs8('P-521'), 'ES512', 'EC PRIVATE KEY'],
    ['EC PARAMETERS before the key', openssl('ecparam', '-name', 'prime256v1', '-genkey'), 'ES256', 'EC PRIVATE KEY'],
    ['its public half in the same file', vector('rsa-a.pub') + vector('rsa-a.key'), 'RS256', 'RSA PRIVATE KEY'],
  ])('reads %s', (_, pem, alg, label) => {
    const key = parsePrivateKey(pem, 'sa.key');
    expect(key.alg).toBe(alg);
    expect(key.privatePem).toMatch(new RegExp(`^-----BEGIN ${label}-----\n[^]*-----END ${label}-----\n$`));
    expect(parsePrivateKey(key.privatePem, 'again')).toEqual(key);
    expect(parsePublicKeys(key.publicPem, 'sa.pub')[0]?.kid).toBe(key.kid);
  });

  test('gives the kid of the public half', () => {
    expect(parsePrivateKey(vector('rsa-a.key'), 'sa.key').kid).toBe(RSA_A);
  });

  const plain = rsa(2048).privateKey;
  const run = (input: string, ...args: string[]): string =>
    execFileSync('openssl', args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'ignore'] });
  const der = Buffer.from(plain.replaceAll(/-----[^-]*-----|\s/g, ''), 'base64');
  const flipped = Buffer.from(der).fill(der[100] === 1 ? 2 : 1, 100, 101); // inside the modulus
  const wrapped = (bytes: Buffer): string =>
    `-----BEGIN PRIVATE KEY-----\n${bytes.toString('base64')}\n-----END PRIVATE KEY-----\n`;

  test.each([
    ['nothing', '', 'KEY_MALFORMED', /is empty/],
    ['only a public key', vector('rsa-a.pub'), 'KEY_MALFORMED', /no private key/],
    ['two private keys', vector('rsa-a.key') + vector('ec-prime256v1.key'), 'KEY_MALFORMED', /2 private keys/],
    ['encrypted PKCS#8', run(plain, 'pkcs8', '-topk8', '-passout', 'pass:secret'), 'KEY_ENCRYPTED', /passphrase/],
    [
      'encrypted PKCS#1',
      run(plain, 'rsa', '-traditional', '-aes128', '-passout', 'pass:secret'),
      'KEY_ENCRYPTED',
      /passphrase/,
    ],
    ['a damaged key', wrapped(der.subarray(0, 500)), 'KEY_MALFORMED', /decoded/],
    ['numbers that contradict each other', wrapped(flipped), 'KEY_MALFORMED', /belong together|decoded/],
    ['RSA with 1024 bits', rsa(1024).privateKey, 'KEY_UNSUPPORTED', /1024/],
    [
      'Ed25519',
      String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })),
      'KEY_UNSUPPORTED',
      /ed25519/,
    ],
    [
      'OpenSSH',
      '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----',
      'KEY_UNSUPPORTED',
      /OPENSSH/,
    ],
  ])('refuses %s, and says nothing of the key', (_, pem, code, message) => {
    const error = refusal(() => parsePrivateKey(pem, '/keys/new.key'));
    expect(error).toMatchObject({
      code,
      subject: '/keys/new.key',
      cause: undefined,
      message: expect.stringMatching(message) as unknown,
    });
    const lines = pem.split('\n').filter((line) => /^[A-Za-z0-9+/=]{16,}$/.test(line));
    for (const line of lines) expect(error.message + String(error.stack)).not.toContain(line);
  });
});

describe('generateKeyPair', () => {
  test.each([
    ['rsa-2048', 'RS256', 2048, 'RSA PRIVATE KEY'],
    ['rsa-3072', 'RS256', 3072, 'RSA PRIVATE KEY'],
    ['rsa-4096', 'RS256', 4096, 'RSA PRIVATE KEY'],
    ['ec-p256', 'ES256', 256, 'EC PRIVATE KEY'],
    ['ec-p384', 'ES384', 384, 'EC PRIVATE KEY'],
    ['ec-p521', 'ES512', 521, 'EC PRIVATE KEY'],
  ] as const)('%s', async (type, alg, bits, label) => {
    const key = await generateKeyPair(type);
    expect(key.alg).toBe(alg);
    expect(key.privatePem.startsWith(`-----BEGIN ${label}-----\n`)).toBe(true);
    expect(parsePrivateKey(key.privatePem, 'x')).toEqual(key);
    const text = execFileSync('openssl', ['pkey', '-pubin', '-noout', '-text'], {
      input: key.publicPem,
      encoding: 'utf8',
    });
    expect(text).toContain(`(${bits} bit)`);
  });

  test('makes another key each time', async () => {
    expect((await generateKeyPair('ec-p256')).kid).not.toBe((await generateKeyPair('ec-p256')).kid);
  });
});

describe('matchPair', () => {
  const key = parsePrivateKey(vector('rsa-a.key'), 'a');
  const [a, b] = parsePublicKeys(vector('bundle.pub'), 'b');

  test('accepts the two halves of a pair', () => {
    expect(() => matchPair(key, a ?? key)).not.toThrow();
  });

  test('refuses halves of different pairs', () => {
    const error = refusal(() => matchPair(key, b ?? key, '/keys'));
    expect(error).toMatchObject({
      code: 'KEY_MISMATCHED',
      subject: '/keys',
      details: { privateKid: RSA_A, publicKid: RSA_B },
    });
  });
});

describe('toJwk', () => {
  test.each([
    ['rsa-a.pub', 'azwi-rsa-a-rsa-b.json', 0],
    ['ec-prime256v1.pub', 'azwi-ec-prime256v1.json', 0],
    ['openshift-labelled-spki.pub', 'azwi-openshift-labelled-spki.json', 0],
  ])('%s gives the members of azwi in their order', (file, json, index) => {
    const [key] = parsePublicKeys(vector(file), file);
    if (key === undefined) throw new Error('no key');
    const { keys } = JSON.parse(vector(json)) as { keys: unknown[] };
    expect(JSON.stringify(toJwk(key))).toBe(JSON.stringify(keys[index]));
  });

  test('pads the coordinates of P-521 to 66 bytes (RFC 7518 section 6.2.1.2)', async () => {
    for (let i = 0; i < 8; i += 1) {
      const jwk = toJwk(await generateKeyPair('ec-p521'));
      expect(jwk.kty === 'EC' && Buffer.from(jwk.x, 'base64url').length).toBe(66);
    }
  });
});
