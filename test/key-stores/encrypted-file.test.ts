// The encrypted key store: what lies on disk, and what is refused.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { CompactEncrypt, decodeProtectedHeader } from 'jose';
import { afterAll, describe, expect, test } from 'vitest';
import { EncryptedFileKeyStore } from '../../src/key-stores/encrypted-file.ts';
import type { SigningKey } from '../../src/keys/signing-key.ts';
import { keyStoreContract } from '../contract/key-store.ts';
import { MemoryKeyStore } from '../fakes/memory-key-store.ts';

const root = mkdtempSync(join(tmpdir(), 'keyturn-key-store-'));
afterAll(() => rmSync(root, { recursive: true }));

function makeStore() {
  const base = mkdtempSync(join(root, 'x'));
  const file = join(base, 'wrapping.key');
  const wrappingKey = randomBytes(32).toString('base64');
  writeFileSync(file, `${wrappingKey}\n`, { mode: 0o600 });
  const directory = join(base, 'staged', 'keys');
  const open = (key: { file: string } | { env: string } = { file }) =>
    new EncryptedFileKeyStore({ directory, wrappingKey: key, keyType: 'ec-p256' });
  const onlyFile = (): string => {
    const [name, ...others] = readdirSync(directory);
    expect(others).toEqual([]);
    return join(directory, name ?? 'none');
  };
  return { base, directory, file, wrappingKey, open, onlyFile };
}

keyStoreContract('encrypted-file', async () => ({ open: makeStore().open, keys: 'made' }));
keyStoreContract('memory', async () => {
  const keys = new Map<string, Promise<SigningKey>>();
  return { open: () => new MemoryKeyStore('ec-p256', keys), keys: 'made' };
});

describe('on disk', () => {
  test('a key is JWE with the id of its wrapping key, 0600 in 0700, and nothing else is left', async () => {
    const { open, directory, onlyFile } = makeStore();
    await open().stage('prod');
    const jwe = readFileSync(onlyFile(), 'utf8');
    expect(decodeProtectedHeader(jwe)).toEqual({
      alg: 'dir',
      enc: 'A256GCM',
      typ: 'keyturn-staged-key',
      kid: expect.stringMatching(/^[\w-]{12}$/) as unknown,
    });
    expect(statSync(onlyFile()).mode & 0o777).toBe(0o600);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(join(directory, '..')).mode & 0o777).toBe(0o700);
    await open().discard('prod', (await open().stage('prod')).kid);
    expect(readdirSync(directory)).toEqual([]);
  });

  test('no file is open to others for a moment, also with umask 0', async () => {
    const { base } = makeStore();
    const directory = join(base, 'watched');
    const script = `
      process.umask(0);
      const { createPrivateFile, ensurePrivateDirectory } = await import('./src/key-stores/atomic-file.ts');
      await ensurePrivateDirectory(${JSON.stringify(directory)});
      for (let i = 0; i < 50; i += 1) await createPrivateFile(${JSON.stringify(directory)} + '/' + i, 'x'.repeat(1e6));`;
    const writer = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
    const ended = once(writer, 'exit');
    const modes = new Set<number>();
    const names = new Set<string>();
    while (writer.exitCode === null) {
      if (existsSync(directory)) {
        modes.add(statSync(directory).mode & 0o777);
        for (const name of readdirSync(directory)) {
          names.add(name);
          modes.add((statSync(join(directory, name), { throwIfNoEntry: false })?.mode ?? 0o600) & 0o777);
        }
      }
      await setImmediate();
    }
    expect((await ended)[0]).toBe(0);
    expect([...names].some((name) => name.startsWith('.'))).toBe(true); // seen while it was written
    expect(modes).toEqual(new Set([0o600, 0o700]));
    expect(readdirSync(directory)).toHaveLength(50);
  });

  test.each(['../../etc/passwd', '/abs', '.', '..', '', 'a/b', 'a\0b', 'x'.repeat(1000), 'Ä'])(
    'stays inside for a cluster named %j',
    async (name) => {
      const { open, base, onlyFile } = makeStore();
      const { kid } = await open().stage(name);
      expect(onlyFile()).toMatch(/[/][a-z0-9-]*-[0-9a-f]{16}\.jwe$/);
      expect(readdirSync(base).toSorted()).toEqual(['staged', 'wrapping.key']);
      expect((await open().load(name, kid)).kid).toBe(kid);
    },
  );

  test('takes the wrapping key from an environment variable too', async () => {
    const { open, wrappingKey } = makeStore();
    const { kid } = await open().stage('prod');
    process.env['KEYTURN_TEST_WRAPPING_KEY'] = wrappingKey;
    try {
      expect((await open({ env: 'KEYTURN_TEST_WRAPPING_KEY' }).staged('prod'))?.kid).toBe(kid);
    } finally {
      delete process.env['KEYTURN_TEST_WRAPPING_KEY'];
    }
  });
});

describe('refuses', () => {
  const subjectAndRemedy = {
    subject: expect.stringMatching(/./) as unknown,
    remedy: expect.stringMatching(/./) as unknown,
  };

  test('another wrapping key: KEY_STORE_LOCKED with both ids, and leaves the file alone', async () => {
    const { open, file, onlyFile } = makeStore();
    await open().stage('prod');
    const before = readFileSync(onlyFile(), 'utf8');
    writeFileSync(file, randomBytes(32).toString('base64'));
    const locked = {
      code: 'KEY_STORE_LOCKED',
      message: expect.stringMatching(/[\w-]{12}.*configured [\w-]{12}/) as unknown,
      ...subjectAndRemedy,
    };
    await expect(open().staged('prod')).rejects.toMatchObject(locked);
    await expect(open().stage('prod')).rejects.toMatchObject(locked);
    await expect(open().load('prod', 'x')).rejects.toMatchObject(locked);
    await expect(open().discard('prod', 'x')).rejects.toMatchObject(locked);
    expect(readFileSync(onlyFile(), 'utf8')).toBe(before);
  });

  test.each([
    ['an empty wrapping key', '\n'],
    ['31 bytes', randomBytes(31).toString('base64')],
    ['33 bytes', randomBytes(33).toString('base64')],
    ['hex', randomBytes(32).toString('hex')],
    ['32 characters of text', 'correct horse battery staple 123'],
  ])('%s', async (_, value) => {
    const { open, file } = makeStore();
    writeFileSync(file, value);
    const error = await open()
      .stage('prod')
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'KEY_STORE_LOCKED', ...subjectAndRemedy });
    if (value.trim() !== '') expect(String(error)).not.toContain(value.trim());
  });

  test('a variable that is not set', async () => {
    const { open } = makeStore();
    await expect(open({ env: 'KEYTURN_NOT_SET' }).stage('prod')).rejects.toMatchObject({ code: 'KEY_STORE_LOCKED' });
  });

  test.each([0o640, 0o604, 0o620, 0o644, 0o660])('a wrapping key file with permissions %o', async (mode) => {
    const { open, file, directory } = makeStore();
    chmodSync(file, mode);
    await expect(open().stage('prod')).rejects.toMatchObject({
      code: 'FILE_TOO_OPEN',
      subject: file,
      remedy: expect.stringContaining(`chmod 0600 ${file}`) as unknown,
    });
    expect(() => statSync(directory)).toThrow();
  });

  test('a missing wrapping key file', async () => {
    const { open, base } = makeStore();
    const missing = join(base, 'nope');
    await expect(open({ file: missing }).staged('prod')).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
      subject: missing,
    });
  });

  test('a directory that is open to others', async () => {
    const { open, directory } = makeStore();
    mkdirSync(directory, { recursive: true });
    chmodSync(directory, 0o755);
    await expect(open().stage('prod')).rejects.toMatchObject({ code: 'FILE_TOO_OPEN', subject: directory });
    expect(readdirSync(directory)).toEqual([]);
  });

  test('a path that is no directory', async () => {
    const { base, file } = makeStore();
    const store = new EncryptedFileKeyStore({ directory: join(file, 'x'), wrappingKey: { file }, keyType: 'ec-p256' });
    await expect(store.stage('prod')).rejects.toMatchObject({ code: 'FILE_UNREADABLE', ...subjectAndRemedy });
    expect(readdirSync(base)).toEqual(['wrapping.key']);
  });

  test.each([
    ['cut off', (jwe: string) => jwe.slice(0, -30)],
    ['one character changed', (jwe: string) => jwe.slice(0, -5) + (jwe.at(-5) === 'A' ? 'B' : 'A') + jwe.slice(-4)],
    ['empty', () => ''],
    ['something else', () => 'hello'],
  ])('a staged key that is %s', async (_, damage) => {
    const { open, onlyFile } = makeStore();
    await open().stage('prod');
    writeFileSync(onlyFile(), damage(readFileSync(onlyFile(), 'utf8')));
    await expect(open().stage('prod')).rejects.toMatchObject({
      code: 'KEY_MALFORMED',
      cause: undefined,
      ...subjectAndRemedy,
    });
  });

  test('content that is no key, without quoting it', async () => {
    const { open, onlyFile, wrappingKey } = makeStore();
    await open().stage('prod');
    const header = decodeProtectedHeader(readFileSync(onlyFile(), 'utf8'));
    for (const content of [
      'SECRET-THING',
      '{"cluster":"prod","privatePem":"SECRET-THING"}',
      '{"cluster":"prod"}',
      'null',
    ]) {
      const jwe = await new CompactEncrypt(Buffer.from(content))
        .setProtectedHeader({ ...header, alg: 'dir', enc: 'A256GCM' })
        .encrypt(Buffer.from(wrappingKey, 'base64'));
      writeFileSync(onlyFile(), jwe);
      const error = await open()
        .staged('prod')
        .catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'KEY_MALFORMED', cause: undefined });
      expect(String((error as Error).stack)).not.toContain('SECRET');
    }
  });

  test("another cluster's file under this cluster's name", async () => {
    const { open, directory, onlyFile } = makeStore();
    await open().stage('prod');
    const prod = onlyFile();
    renameSync(prod, `${prod}.away`);
    await open().stage('test');
    const other = readdirSync(directory).find((name) => name.startsWith('test-')) ?? '';
    renameSync(join(directory, other), prod);
    await expect(open().staged('prod')).rejects.toMatchObject({
      code: 'KEY_MALFORMED',
      message: expect.stringContaining('another cluster') as unknown,
    });
  });
});
