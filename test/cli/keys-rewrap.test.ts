// keyturn keys rewrap, as it is run when the wrapping key changes.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EncryptedFileKeyStore } from '../../src/key-stores/encrypted-file.ts';
import { SuppliedKey } from '../../src/key-stores/supplied-key.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
/** Each run of the CLI takes a second, and many on a machine that has other things to do. */
const SLOW = { timeout: 120_000 };
const ID = '[\\w-]{12}';

let directory: string;
const file = (name: string) => join(directory, name);
const open = (key: string, keys: string) =>
  new EncryptedFileKeyStore({
    directory: file(keys),
    wrapper: new SuppliedKey({ file: file(key) }),
    keyType: 'ec-p256',
  });

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'keyturn-rewrap-'));
  for (const name of ['old.key', 'new.key', 'lost.key']) {
    writeFileSync(file(name), randomBytes(32).toString('base64'), { mode: 0o600 });
  }
  const cluster = (name: string, keyStore: Record<string, unknown>) => ({
    name,
    platform: { type: 'static-pod', kubeconfig: 'none', nodes: [{ name: 'node-1' }] },
    issuer: 'https://issuer.example',
    publisher: { type: 'azure-blob', container: 'https://example.com/oidc' },
    keyStore,
  });
  const inFile = { type: 'encrypted-file', wrappingKey: { file: 'new.key' }, previousKeys: [{ file: 'old.key' }] };
  const clusters = [
    cluster('lost', { ...inFile, directory: 'lost-keys' }),
    cluster('prod', { ...inFile, directory: 'keys' }),
    cluster('idle', { ...inFile, directory: 'keys' }),
    cluster('own', { type: 'bring-your-own', privateKeyFile: 'own.key' }),
  ];
  writeFileSync(file('keyturn.yaml'), stringify({ clusters }));
});
afterAll(() => rmSync(directory, { recursive: true }));

function rewrap(...args: string[]): Promise<{ readonly code: number; readonly lines: readonly string[] }> {
  return new Promise((resolve) => {
    const all = [main, '--config', file('keyturn.yaml'), 'keys', 'rewrap', ...args];
    execFile(process.execPath, all, (error, stdout, stderr) => {
      const lines = (stdout + stderr).trimEnd().split('\n');
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, lines });
    });
  });
}

test('prints old and new id of each cluster; one that cannot be had does not keep the others back', SLOW, async () => {
  const { kid } = await open('old.key', 'keys').stage('prod');
  await open('lost.key', 'lost-keys').stage('lost');
  const { code, lines } = await rewrap();
  expect(code).toBe(1);
  expect(lines).toEqual([
    expect.stringMatching(/^lost: .* is encrypted with the wrapping key .* \[KEY_STORE_LOCKED\]$/),
    expect.stringMatching(new RegExp(`^prod: ${ID} -> ${ID}$`)),
    'idle: nothing to re-wrap: no key is staged',
    'own: nothing to re-wrap: its key store does not encrypt',
  ]);
  expect((await open('new.key', 'keys').load('prod', kid)).kid).toBe(kid);

  const again = await rewrap('--cluster', 'prod');
  const newId = lines[1]?.split(' -> ')[1];
  expect(again).toEqual({ code: 0, lines: [`prod: already under ${newId}`] });
  const { lines: json } = await rewrap('--cluster', 'prod', '--json');
  expect(JSON.parse(json.join('\n'))).toEqual([{ cluster: 'prod', outcome: 'current', from: newId, to: newId }]);
});

test('a cluster that is not configured is refused', SLOW, async () => {
  const { code, lines } = await rewrap('--cluster', 'none');
  expect({ code, said: lines.at(-1) }).toMatchObject({
    code: 1,
    said: expect.stringContaining('[CLUSTER_UNKNOWN]') as string,
  });
});
