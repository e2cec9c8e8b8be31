// Copies of keys that are bytes are zero after their use. (A text cannot be wiped in JavaScript.)
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { generateKeyPair } from '../../src/keys/generate.ts';
import type { KeyWrapper } from '../../src/key-stores/key-wrapper.ts';
import { sealKey, unsealKey } from '../../src/key-stores/sealed-key.ts';
import { ShellNodeFiles } from '../../src/nodes/shell/shell-node-files.ts';
import { ChildShell } from '../fixtures/child-shell.ts';
import { PrivateKeySearch } from '../fixtures/private-key-search.ts';

test('the data key, after it has sealed and after it has opened', async () => {
  const handed: Uint8Array[] = [];
  const kept = randomBytes(32);
  const wrapper: KeyWrapper = {
    description: 'keeps what it is given',
    owns: () => Promise.resolve(true),
    wrap: (dataKey) => {
      handed.push(dataKey);
      kept.set(dataKey);
      return Promise.resolve({ wrappingKeyId: 'a', wrapped: 'text' });
    },
    unwrap: () => {
      const copy = Buffer.from(kept);
      handed.push(copy);
      return Promise.resolve(copy);
    },
    rewrap: (key) => Promise.resolve(key),
  };
  const key = await generateKeyPair('ec-p256');
  const sealed = await sealKey(key, 'prod', wrapper);
  expect((await unsealKey(sealed, 'prod', wrapper, 'test')).kid).toBe(key.kid);
  expect(handed).toHaveLength(2);
  for (const bytes of handed) expect(bytes.every((byte) => byte === 0)).toBe(true);
  expect(kept.every((byte) => byte === 0)).toBe(false);
});

test('what went to a node and what came from it', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'keyturn-wiped-'));
  const { privatePem } = await generateKeyPair('ec-p256');
  const search = new PrivateKeySearch({ key: privatePem });
  const passed: Buffer[] = [];
  const real = new ChildShell({ command: ['sh'] });
  const shell = {
    node: 'node-1',
    run: async (script: string, args: readonly string[], stdin?: Buffer) => {
      const answer = await real.run(script, args, stdin);
      // While it is under way it is there.
      for (const bytes of [answer.stdout, ...(stdin === undefined ? [] : [stdin])]) passed.push(bytes);
      expect(passed.some((bytes) => search.find(bytes).length > 0)).toBe(true);
      return answer;
    },
  };
  try {
    const files = new ShellNodeFiles(shell);
    const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
    await files.write(path.join(folder, 'sa.key'), privatePem, { mode: 0o600, ...owner });
    expect((await files.read(path.join(folder, 'sa.key')))?.content).toBe(privatePem);
    for (const bytes of passed) expect(search.find(bytes)).toEqual([]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
