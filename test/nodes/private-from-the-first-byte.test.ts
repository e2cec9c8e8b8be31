// Files with secrets are never open to others, not for a moment: after each step of each way of writing every file there is looked at.
import type * as FsPromises from 'node:fs/promises';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { readdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { EncryptedFileKeyStore } from '../../src/key-stores/encrypted-file.ts';
import { SuppliedKey } from '../../src/key-stores/supplied-key.ts';
import { LocalNodeFiles } from '../../src/nodes/local.ts';
import { COMMANDS } from '../../src/nodes/shell/scripts.ts';
import { ShellNodeFiles } from '../../src/nodes/shell/shell-node-files.ts';
import { busyboxFolder, ChildShell } from '../fixtures/child-shell.ts';

interface Sight {
  readonly name: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

const isRoot = process.getuid?.() === 0;
const us = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
/** Ours is not the group of the file: only root can give it to another. */
const other = isRoot ? { uid: 65534, gid: 65533 } : us;

let folder: string;
let seen: Sight[] = [];
let formerUmask: number;

/** Real files, after each call of the real file system. */
vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof FsPromises>();
  const watched = <T extends (...args: never[]) => Promise<unknown>>(call: T) =>
    (async (...args: Parameters<T>) => {
      const result = await call(...args);
      look();
      return result;
    }) as T;
  const open: typeof real.open = async (...args) => {
    const handle = await watched(real.open)(...args);
    for (const name of ['chmod', 'chown', 'writeFile', 'sync', 'close'] as const) {
      Object.assign(handle, { [name]: watched(handle[name].bind(handle) as () => Promise<void>) });
    }
    return handle;
  };
  return { ...real, open, mkdir: watched(real.mkdir), rename: watched(real.rename) };
});

function look(): void {
  if (folder === undefined) return;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.parentPath.endsWith('/bin')) continue;
    const { mode, uid, gid } = statSync(path.join(entry.parentPath, entry.name));
    seen.push({ name: entry.name, mode: mode & 0o777, uid, gid });
  }
}

beforeEach(async () => {
  formerUmask = process.umask(0);
  folder = await mkdtemp(path.join(tmpdir(), 'keyturn-private-'));
  seen = [];
});
afterEach(async () => {
  process.umask(formerUmask);
  await rm(folder, { recursive: true });
});

/** Who else than the owner may do anything with it, where it is not the group that it is to belong to. */
const openTo = ({ mode, gid }: Sight, wanted: { readonly mode: number; readonly gid: number }) =>
  mode & 0o077 & ~(gid === wanted.gid ? wanted.mode : 0);

const CASES = [
  ['0600, as a private key', 0o600],
  ['0640, for another group', 0o640],
  ['0400', 0o400],
] as const;

describe('under umask 0', () => {
  test.each(CASES)('the worker writes a file of a node with mode %s', async (_, mode) => {
    await new LocalNodeFiles('node-1').write(path.join(folder, 'pki', 'sa.key'), 'secret', { mode, ...other });
    // Made, group, mode, owner, content, sync, close, renamed: that it was looked at in between.
    expect(seen.length).toBeGreaterThanOrEqual(5);
    expect(new Set(seen.map(({ name }) => name)).size).toBe(2);
    expect(seen.filter((sight) => openTo(sight, { mode, ...other }) !== 0)).toEqual([]);
    expect(seen.at(-1)).toEqual({ name: 'sa.key', mode, ...other });
    expect((statSync(path.join(folder, 'pki')).mode & 0o777).toString(8)).toBe('700');
  });

  // busybox's own shell takes its own commands, whatever is on the PATH.
  describe.each(['GNU coreutils', 'busybox'] as const)('a shell on a node, with the commands of %s,', (kind) => {
    test.each(CASES)('writes a file with mode %s', async (_, mode) => {
      const { path: real, remove } = await realCommands(kind);
      try {
        const log = path.join(folder, '..', `${path.basename(folder)}.log`);
        const bin = await lookingCommands(path.join(folder, 'bin'), real, path.join(folder, 'pki'), log);
        const shell = new ChildShell({ command: ['/bin/sh'], path: bin });
        await new ShellNodeFiles(shell).write(path.join(folder, 'pki', 'sa.key'), 'secret', { mode, ...other });
        const sights = parseSights(await readFile(log, 'utf8'));
        await rm(log);
        expect(new Set(sights.map(({ name }) => name))).toContainEqual(expect.stringContaining('.sa.key.keyturn-'));
        expect(sights.length).toBeGreaterThanOrEqual(5);
        expect(sights.filter((sight) => openTo(sight, { mode, ...other }) !== 0)).toEqual([]);
        expect(sights.at(-1)).toEqual({ name: 'sa.key', mode, ...other });
      } finally {
        await remove();
      }
    });
  });

  test('the key store writes and wraps anew', async () => {
    const keyFile = path.join(folder, 'wrapping.key');
    await writeFile(keyFile, Buffer.alloc(32, 7).toString('base64'), { mode: 0o600 });
    const wrapper = new SuppliedKey({ file: keyFile });
    const store = new EncryptedFileKeyStore({ directory: path.join(folder, 'keys'), wrapper, keyType: 'ec-p256' });
    await store.stage('prod');
    await store.rewrap('prod');
    expect(seen.filter(({ name }) => name.includes('staged-key')).length).toBeGreaterThanOrEqual(4);
    expect(seen.filter(({ mode }) => (mode & 0o077) !== 0)).toEqual([]);
  });

  test('this would be seen', async () => {
    await writeFile(path.join(folder, 'careless'), 'secret');
    look();
    expect(seen.filter((sight) => openTo(sight, { mode: 0o600, gid: us.gid }) !== 0)).toHaveLength(1);
  });
});

async function realCommands(kind: 'GNU coreutils' | 'busybox'): Promise<{ path: string; remove(): Promise<void> }> {
  if (kind === 'busybox') return busyboxFolder(COMMANDS);
  return { path: '/usr/bin:/bin', remove: () => Promise.resolve() };
}

/** Every command that the scripts use, behind one that notes all files of the folder before and after it. */
async function lookingCommands(bin: string, real: string, watchedFolder: string, log: string): Promise<string> {
  await mkdir(bin);
  const sights = `(/usr/bin/stat -c '%n|%a|%u|%g' '${watchedFolder}'/* '${watchedFolder}'/.[!.]* 2>/dev/null | /usr/bin/grep -v keyturn-lock) >>'${log}'`;
  for (const command of COMMANDS) {
    const file = path.join(bin, command);
    await writeFile(file, `#!/bin/sh\n${sights}\nPATH='${real}' ${command} "$@"\ncode=$?\n${sights}\nexit $code\n`);
    await chmod(file, 0o755);
  }
  return bin;
}

function parseSights(log: string): readonly Sight[] {
  return log
    .trim()
    .split('\n')
    .map((line) => {
      const [file = '', mode = '', uid, gid] = line.split('|');
      return { name: path.basename(file), mode: Number.parseInt(mode, 8), uid: Number(uid), gid: Number(gid) };
    });
}
