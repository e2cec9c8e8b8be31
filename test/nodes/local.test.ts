// LocalNodeFiles on this machine's own disk.
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LocalNodeFiles } from '../../src/nodes/local.ts';
import { nodeFilesContract } from '../contract/node-files.ts';

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;
const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

nodeFilesContract('the local disk', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'keyturn-node-files-'));
  return {
    files: new LocalNodeFiles('node-1'),
    directory,
    owner,
    ...(isRoot ? { otherOwner: { uid: 65534, gid: 65534 } } : {}),
    shell: async (script) => (await run('sh', ['-c', script])).stdout,
    close: () => rm(directory, { recursive: true }),
  };
});

describe('LocalNodeFiles', () => {
  const files = new LocalNodeFiles('node-1');
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'keyturn-local-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  test('a file that is not UTF-8 is refused: it could not be written back byte for byte', async () => {
    await writeFile(join(directory, 'latin1'), Buffer.from([0x6b, 0xe4, 0x73, 0x65]));
    await expect(files.read(join(directory, 'latin1'))).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
      subject: `node-1:${directory}/latin1`,
    });
  });

  test('a directory is not a file', async () => {
    await expect(files.read(directory)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  });

  test('a link in a circle is an error with its path, not a crash', async () => {
    await symlink('loop', join(directory, 'loop'));
    await expect(files.read(join(directory, 'loop'))).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  });

  test.runIf(isRoot)('an ordinary user gets NODE_PERMISSION_DENIED and leaves nothing', async () => {
    await chmod(directory, 0o777);
    await files.write(join(directory, 'secret'), 'root only', { mode: 0o600, uid: 0, gid: 0 });
    process.seteuid?.(65534);
    try {
      const denied = { code: 'NODE_PERMISSION_DENIED' };
      await expect(files.read(join(directory, 'secret'))).rejects.toMatchObject(denied);
      // May make the file, may not give it to root.
      const gift = files.write(join(directory, 'gift'), 'text', { mode: 0o600, uid: 0, gid: 0 });
      await expect(gift).rejects.toMatchObject(denied);
    } finally {
      process.seteuid?.(0);
    }
    expect(await readdir(directory)).toEqual(['secret']);
  });

  test('a private key is never readable for others, not even while it is written', async () => {
    const former = process.umask(0);
    try {
      let writing = true;
      const modes = new Set<number>();
      const watch = async (): Promise<void> => {
        while (writing) {
          for (const name of await readdir(directory)) {
            const stats = await stat(join(directory, name)).catch(() => undefined);
            if (stats !== undefined) modes.add(stats.mode & 0o777);
          }
        }
      };
      const watcher = watch();
      for (let i = 0; i < 20; i += 1) {
        await files.write(join(directory, 'sa.key'), 'k'.repeat(100_000), { mode: 0o600, ...owner });
      }
      writing = false;
      await watcher;
      expect([...modes]).toEqual([0o600]);
      expect(await readFile(join(directory, 'sa.key'), 'utf8')).toHaveLength(100_000);
    } finally {
      process.umask(former);
    }
  });
});
