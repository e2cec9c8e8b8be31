// Keys that the user brings: what is taken, and what is refused.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { BringYourOwnKeyStore } from '../../src/key-stores/bring-your-own.ts';
import { keyStoreContract } from '../contract/key-store.ts';

const root = mkdtempSync(join(tmpdir(), 'keyturn-own-'));
afterAll(() => rmSync(root, { recursive: true }));

const openssl = (...args: string[]): string =>
  execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

function bring(privatePem = openssl('genrsa', '2048')) {
  const directory = mkdtempSync(join(root, 'x'));
  const privateKeyFile = join(directory, 'sa-new.key');
  const publicKeyFile = join(directory, 'sa-new.pub');
  writeFileSync(privateKeyFile, privatePem, { mode: 0o600 });
  const store = new BringYourOwnKeyStore({ privateKeyFile });
  const withPublic = new BringYourOwnKeyStore({ privateKeyFile, publicKeyFile });
  return { directory, privateKeyFile, publicKeyFile, store, withPublic };
}

keyStoreContract('bring-your-own', async () => {
  const { privateKeyFile } = bring();
  return { open: () => new BringYourOwnKeyStore({ privateKeyFile }), keys: 'imported' };
});

describe('takes', () => {
  test.each([
    ['RSA 2048', 'RS256', ['genrsa', '2048']],
    ['RSA 3072', 'RS256', ['genrsa', '3072']],
    ['RSA 4096', 'RS256', ['genrsa', '-traditional', '4096']],
    ['P-256', 'ES256', ['ecparam', '-name', 'prime256v1', '-genkey']],
    ['P-384', 'ES384', ['ecparam', '-name', 'secp384r1', '-genkey', '-noout']],
    ['P-521', 'ES512', ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-521']],
  ])('%s with its public half', async (_, alg, command) => {
    const { privateKeyFile, publicKeyFile, withPublic } = bring(openssl(...command));
    writeFileSync(publicKeyFile, openssl('pkey', '-in', privateKeyFile, '-pubout'));
    expect(await withPublic.stage('prod')).toMatchObject({ alg, publicPem: readFileSync(publicKeyFile, 'utf8') });
  });

  test('nothing yet as nothing staged', async () => {
    const { privateKeyFile, store } = bring();
    rmSync(privateKeyFile);
    expect(await store.staged('prod')).toBeUndefined();
    await expect(store.stage('prod')).rejects.toMatchObject({ code: 'FILE_UNREADABLE', subject: privateKeyFile });
  });

  test('stricter permissions, and changes nothing on disk', async () => {
    const { directory, privateKeyFile, store } = bring();
    chmodSync(privateKeyFile, 0o400);
    const before = readFileSync(privateKeyFile, 'utf8');
    const { kid } = await store.stage('prod');
    await store.load('prod', kid);
    await store.discard('prod', kid);
    expect(readdirSync(directory)).toEqual(['sa-new.key']);
    expect(readFileSync(privateKeyFile, 'utf8')).toBe(before);
    expect(statSync(privateKeyFile).mode & 0o777).toBe(0o400);
  });
});

describe('refuses', () => {
  test.each([0o640, 0o604, 0o644, 0o660, 0o602])(
    'a private key with permissions %o, and tells the remedy',
    async (mode) => {
      const { privateKeyFile, store } = bring();
      chmodSync(privateKeyFile, mode);
      const refused = {
        code: 'FILE_TOO_OPEN',
        subject: privateKeyFile,
        remedy: expect.stringContaining(`chmod 0600 ${privateKeyFile}`) as unknown,
      };
      await expect(store.stage('prod')).rejects.toMatchObject(refused);
      await expect(store.staged('prod')).rejects.toMatchObject(refused);
    },
  );

  test('halves of two pairs', async () => {
    const { publicKeyFile, withPublic } = bring();
    const other = bring();
    writeFileSync(publicKeyFile, openssl('pkey', '-in', other.privateKeyFile, '-pubout'));
    await expect(withPublic.stage('prod')).rejects.toMatchObject({
      code: 'KEY_MISMATCHED',
      subject: expect.stringContaining(publicKeyFile) as unknown,
    });
  });

  test('a missing public file', async () => {
    const { publicKeyFile, withPublic } = bring();
    await expect(withPublic.staged('prod')).rejects.toMatchObject({ code: 'FILE_UNREADABLE', subject: publicKeyFile });
  });

  test('a public file with two keys', async () => {
    const { privateKeyFile, publicKeyFile, withPublic } = bring();
    const pem = openssl('pkey', '-in', privateKeyFile, '-pubout');
    writeFileSync(publicKeyFile, pem + pem);
    await expect(withPublic.stage('prod')).rejects.toMatchObject({ code: 'KEY_MALFORMED', subject: publicKeyFile });
  });

  test.each([
    ['RSA 1024', 'KEY_UNSUPPORTED', ['genrsa', '1024']],
    ['Ed25519', 'KEY_UNSUPPORTED', ['genpkey', '-algorithm', 'ed25519']],
    ['secp256k1', 'KEY_UNSUPPORTED', ['ecparam', '-name', 'secp256k1', '-genkey', '-noout']],
    ['an encrypted key', 'KEY_ENCRYPTED', ['genrsa', '-aes256', '-passout', 'pass:secret', '2048']],
    ['a public key', 'KEY_MALFORMED', ['version']],
  ])('%s', async (_, code, command) => {
    const { privateKeyFile, store } = bring(openssl(...command));
    await expect(store.stage('prod')).rejects.toMatchObject({
      code,
      subject: privateKeyFile,
      remedy: expect.stringMatching(/./) as unknown,
    });
  });

  test('a directory and a named pipe', async () => {
    const { directory } = bring();
    const pipe = join(directory, 'pipe');
    execFileSync('mkfifo', ['-m', '600', pipe]);
    chmodSync(directory, 0o700);
    for (const privateKeyFile of [directory, pipe]) {
      const store = new BringYourOwnKeyStore({ privateKeyFile });
      await expect(store.staged('prod')).rejects.toMatchObject({ code: 'FILE_UNREADABLE', subject: privateKeyFile });
    }
  });

  test('to load a key that the user has replaced since', async () => {
    const { privateKeyFile, store } = bring();
    const { kid } = await store.stage('prod');
    writeFileSync(privateKeyFile, openssl('genrsa', '2048'));
    await expect(store.load('prod', kid)).rejects.toMatchObject({ code: 'KEY_NOT_FOUND', details: { wanted: kid } });
  });
});
