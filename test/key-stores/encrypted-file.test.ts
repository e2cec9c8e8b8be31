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
import { basename, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { CompactEncrypt, decodeProtectedHeader } from 'jose';
import { afterAll, describe, expect, test } from 'vitest';
import { EncryptedFileKeyStore } from '../../src/key-stores/encrypted-file.ts';
import { WithFormerWrappers } from '../../src/key-stores/former-wrappers.ts';
import type { SealedKey } from '../../src/key-stores/sealed-key.ts';
import { SuppliedKey } from '../../src/key-stores/supplied-key.ts';
import type { SigningKey } from '../../src/keys/signing-key.ts';
import { keyStoreContract } from '../contract/key-store.ts';
import { meanwhile } from '../fakes/meanwhile.ts';
import { MemoryKeyStore } from '../fakes/memory-key-store.ts';

const root = mkdtempSync(join(tmpdir(), 'keyturn-key-store-'));
afterAll(() => rmSync(root, { recursive: true }));

function makeStore() {
  const base = mkdtempSync(join(root, 'x'));
  const file = join(base, 'wrapping.key');
  const wrappingKey = randomBytes(32).toString('base64');
  writeFileSync(file, `${wrappingKey}\n`, { mode: 0o600 });
  const directory = join(base, 'staged', 'keys');
  const open = (key: { file: string } | { env: string } = { file }, ...former: { file: string }[]) =>
    new EncryptedFileKeyStore({
      directory,
      wrapper: new WithFormerWrappers(
        new SuppliedKey(key),
        former.map((each) => new SuppliedKey(each)),
      ),
      keyType: 'ec-p256',
    });
  const onlyFile = (): string => {
    const [name, ...others] = readdirSync(directory);
    expect(others).toEqual([]);
    return join(directory, name ?? 'none', 'staged-key.json');
  };
  const sealed = () => JSON.parse(readFileSync(onlyFile(), 'utf8')) as SealedKey;
  const putSealed = (change: Partial<SealedKey>) =>
    writeFileSync(onlyFile(), JSON.stringify({ ...sealed(), ...change }));
  return { base, directory, file, wrappingKey, open, onlyFile, sealed, putSealed };
}

keyStoreContract('encrypted-file', async () => ({ open: makeStore().open, keys: 'made' }));
keyStoreContract('memory', async () => {
  const keys = new Map<string, Promise<SigningKey>>();
  return { open: () => new MemoryKeyStore('ec-p256', keys), keys: 'made' };
});

describe('on disk', () => {
  test('a key is JWE with the id of its wrapping key beside it, 0600 in 0700, and nothing else is left', async () => {
    const { open, directory, onlyFile, sealed } = makeStore();
    await open().stage('prod');
    const { jwe, dataKey } = sealed();
    const header = { alg: 'dir', enc: 'A256GCM', typ: 'keyturn-staged-key', cluster: 'prod' };
    expect(decodeProtectedHeader(jwe)).toEqual(header);
    expect(dataKey.wrappingKeyId).toMatch(/^[\w-]{12}$/);
    expect(await open().wrappingKeyId('prod')).toBe(dataKey.wrappingKeyId);
    expect(readdirSync(join(onlyFile(), '..'))).toEqual(['staged-key.json']);
    expect(statSync(join(onlyFile(), '..')).mode & 0o777).toBe(0o700);
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
      const { createFolder, ensurePrivateDirectory, openReplacement } = await import('./src/key-stores/atomic-folder.ts');
      await ensurePrivateDirectory(${JSON.stringify(directory)});
      for (let i = 0; i < 50; i += 1) {
        await createFolder(${JSON.stringify(directory)} + '/' + i, 'key', 'x'.repeat(1e6));
const replacement = await openReplacement(${JSON.stringify(directory)} + '/' + i + '/key');
        await replacement.commit('y'.repeat(1e6));
        await replacement.close();
      }`;
    const writer = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
    const ended = once(writer, 'exit');
    const modes = new Set<number>();
    const names = new Set<string>();
    while (writer.exitCode === null) {
      if (existsSync(directory)) {
        modes.add(statSync(directory).mode & 0o777);
        for (const name of listAll(directory)) {
          names.add(basename(name));
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
      expect(onlyFile()).toMatch(/[/]([a-z0-9-]*-)?[0-9a-f]{16}[/]staged-key\.json$/);
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
    const unreadable = { code: 'FILE_UNREADABLE', subject: missing };
    await expect(open({ file: missing }).stage('prod')).rejects.toMatchObject(unreadable);
    expect(await open({ file: missing }).findProblems('prod')).toMatchObject([unreadable]);
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
    const wrapper = new SuppliedKey({ file });
    const store = new EncryptedFileKeyStore({ directory: join(file, 'x'), wrapper, keyType: 'ec-p256' });
    await expect(store.stage('prod')).rejects.toMatchObject({ code: 'FILE_UNREADABLE', ...subjectAndRemedy });
    expect(readdirSync(base)).toEqual(['wrapping.key']);
  });

  const oneCharacter = (text: string) => text.slice(0, -5) + (text.at(-5) === 'A' ? 'B' : 'A') + text.slice(-4);
  test.each<[string, (sealed: SealedKey) => string]>([
    ['cut off', (sealed) => JSON.stringify(sealed).slice(0, -30)],
    ['changed in one character', ({ jwe, ...rest }) => JSON.stringify({ ...rest, jwe: oneCharacter(jwe) })],
    [
      'changed in its data key',
      ({ jwe, dataKey }) => JSON.stringify({ jwe, dataKey: { ...dataKey, wrapped: oneCharacter(dataKey.wrapped) } }),
    ],
    ['without a data key', ({ jwe }) => JSON.stringify({ jwe })],
    ['sealed with a key that is no data key', (sealed) => JSON.stringify({ ...sealed, jwe: sealed.dataKey.wrapped })],
    ['empty', () => ''],
    ['something else', () => 'hello'],
  ])('a staged key that is %s', async (_, damage) => {
    const { open, onlyFile, sealed } = makeStore();
    await open().stage('prod');
    writeFileSync(onlyFile(), damage(sealed()));
    await expect(open().stage('prod')).rejects.toMatchObject({
      code: 'KEY_MALFORMED',
      cause: undefined,
      ...subjectAndRemedy,
    });
  });

  test('content that is no key, without quoting it', async () => {
    const { open, file, sealed, putSealed } = makeStore();
    await open().stage('prod');
    const dataKey = await new SuppliedKey({ file }).unwrap(sealed().dataKey, 'test');
    const header = { ...decodeProtectedHeader(sealed().jwe), alg: 'dir', enc: 'A256GCM' };
    for (const content of ['SECRET-THING', '-----BEGIN PRIVATE KEY-----\nSECRET=\n-----END PRIVATE KEY-----\n', '']) {
      putSealed({ jwe: await new CompactEncrypt(Buffer.from(content)).setProtectedHeader(header).encrypt(dataKey) });
      const error = await open()
        .staged('prod')
        .catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'KEY_MALFORMED', cause: undefined });
      expect(String((error as Error).stack)).not.toContain('SECRET');
    }
  });

  test("another cluster's key under this cluster's name, also where the header was made to say otherwise", async () => {
    const { open, directory, onlyFile, sealed, putSealed } = makeStore();
    await open().stage('prod');
    const prod = join(onlyFile(), '..');
    renameSync(prod, join(directory, '..', 'away'));
    await open().stage('test');
    renameSync(join(onlyFile(), '..'), prod);
    await expect(open().staged('prod')).rejects.toMatchObject({
      code: 'KEY_MALFORMED',
      message: expect.stringContaining('another cluster') as unknown,
    });
    const header = Buffer.from(JSON.stringify({ ...decodeProtectedHeader(sealed().jwe), cluster: 'prod' }));
    putSealed({ jwe: sealed().jwe.replace(/^[^.]+/, header.toString('base64url')) });
    await expect(open().staged('prod')).rejects.toMatchObject({ code: 'KEY_MALFORMED' });
  });
});

describe('a change of the wrapping key', () => {
  function withNewKey() {
    const made = makeStore();
    const newFile = join(made.base, 'new.key');
    writeFileSync(newFile, randomBytes(32).toString('base64'), { mode: 0o600 });
    return {
      ...made,
      both: () => made.open({ file: newFile }, { file: made.file }),
      newOnly: () => made.open({ file: newFile }),
    };
  }

  test('the former key still opens what it wrapped; re-wrapped, the new one alone does; the key stays the same', async () => {
    const { open, both, newOnly, sealed } = withNewKey();
    const { kid } = await open().stage('prod');
    const before = sealed();
    expect((await both().staged('prod'))?.kid).toBe(kid);
    await expect(newOnly().load('prod', kid)).rejects.toMatchObject({ code: 'KEY_STORE_LOCKED' });

    const done = await both().rewrap('prod');
    expect(done).toEqual({ from: before.dataKey.wrappingKeyId, to: await both().wrappingKeyId('prod') });
    expect(done?.to).not.toBe(done?.from);
    expect((await newOnly().load('prod', kid)).kid).toBe(kid);
    expect(sealed().jwe).toBe(before.jwe);
    await expect(open().load('prod', kid)).rejects.toMatchObject({ code: 'KEY_STORE_LOCKED' });
  });

  test('a second time, and where nothing is staged, it changes nothing', async () => {
    const { both, onlyFile, directory } = withNewKey();
    expect(await both().rewrap('prod')).toBeUndefined();
    expect(existsSync(directory)).toBe(false);
    await both().stage('prod');
    const before = readFileSync(onlyFile(), 'utf8');
    const done = await both().rewrap('prod');
    expect(done?.to).toBe(done?.from);
    expect(readFileSync(onlyFile(), 'utf8')).toBe(before);
  });

  test('a key that is discarded while it is re-wrapped stays discarded', async () => {
    for (let round = 0; round < 30; round += 1) {
      const { open, both, directory } = withNewKey();
      const { kid } = await open().stage('prod');
      await Promise.all([both().rewrap('prod'), both().discard('prod', kid)]);
      expect(readdirSync(directory)).toEqual([]);
    }
  });

  test('a key that is discarded while it is re-wrapped is not written over the next one', async () => {
    const { open, file, base, directory } = withNewKey();
    const { kid } = await open().stage('prod');
    let next = '';
    const wrapper = meanwhile(
      new WithFormerWrappers(new SuppliedKey({ file: join(base, 'new.key') }), [new SuppliedKey({ file })]),
      async () => {
        await open().discard('prod', kid);
        next = (await open().stage('prod')).kid;
      },
    );
    const store = new EncryptedFileKeyStore({ directory, wrapper, keyType: 'ec-p256' });
    const done = await store.rewrap('prod');
    expect(done?.to).toBe(await store.wrappingKeyId('prod'));
    expect(done?.to).not.toBe(done?.from);
    expect((await store.staged('prod'))?.kid).toBe(next);
    expect(listAll(directory)).toHaveLength(2);
  });

  test('what a removal that was killed has left goes with the next one', async () => {
    const { open, onlyFile, directory } = makeStore();
    const { kid } = await open().stage('prod');
    const folder = basename(join(onlyFile(), '..'));
    renameSync(join(directory, folder), join(directory, `.${folder}.removed.0123`));
    expect(await open().staged('prod')).toBeUndefined();
    await open().discard('prod', kid);
    expect(readdirSync(directory)).toEqual([]);
  });
});

/** Every folder and file below it; what goes while it looks is left out. */
function listAll(directory: string): readonly string[] {
  return readdirSync(directory).flatMap((name) => {
    const path = join(directory, name);
    const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
    if (!isFolder) return [name];
    try {
      return [name, ...readdirSync(path).map((inner) => join(name, inner))];
    } catch {
      return [name];
    }
  });
}
