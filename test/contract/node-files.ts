// What every NodeFiles must do. Run on the local disk, through a pod, and over SSH.
import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TestContext } from 'vitest';
import type { NodeFiles } from '../../src/nodes/port.ts';

export interface NodeFilesHarness {
  readonly files: NodeFiles;
  /** An empty directory on the node, absolute. */
  readonly directory: string;
  /** As whom files are written where the test does not care. */
  readonly owner: { readonly uid: number; readonly gid: number };
  /** Somebody else, where the adapter may give files away. */
  readonly otherOwner?: { readonly uid: number; readonly gid: number };
  /** Runs `sh -c` on the node and gives its output; rejects where it exits with another code than 0. */
  shell(script: string): Promise<string>;
  /** Where there is a way between us and the node: takes it away, until the function that it gives is called. */
  readonly vanish?: () => () => void;
  /** Likewise: ends every connection once so many more bytes have gone to the node. */
  readonly cutAfter?: (bytes: number) => () => void;
  close(): Promise<void>;
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

export function nodeFilesContract(adapter: string, setUp: () => Promise<NodeFilesHarness>): void {
  describe(`NodeFiles through ${adapter}`, () => {
    let node: NodeFilesHarness;
    let root: string;
    let count = 0;

    beforeAll(async () => {
      node = await setUp();
    });
    afterAll(() => node.close());
    beforeEach(async () => {
      count += 1;
      root = posix.join(node.directory, `case-${count}`);
      await node.shell(`mkdir -m 755 '${root}'`);
    });

    const at = (name: string): string => posix.join(root, name);
    const asUs = (mode = 0o644) => ({ mode, ...node.owner });

    test('reads nothing where there is nothing', async () => {
      expect(await node.files.read(at('absent'))).toBeUndefined();
      expect(await node.files.read(at('absent/deeper'))).toBeUndefined();
      expect(await node.files.list(at('absent'))).toEqual([]);
    });

    test.for([
      ['0600', 0o600],
      ['0644', 0o644],
      ['0640', 0o640],
      ['0666', 0o666],
      ['0400', 0o400],
    ] as const)('writes with mode %s whatever the umask', async ([, mode]) => {
      await node.files.write(at('file'), 'text', asUs(mode));
      const file = await node.files.read(at('file'));
      expect(file).toMatchObject({ content: 'text', mode, ...node.owner, sha256: hash('text') });
    });

    test('gives the file to the owner that is asked for', async (context: TestContext) => {
      if (node.otherOwner === undefined) return context.skip('this adapter runs as a user who may not give files away');
      await node.files.write(at('file'), 'text', { mode: 0o640, ...node.otherOwner });
      expect(await node.files.read(at('file'))).toMatchObject({ mode: 0o640, ...node.otherOwner });
      await node.files.write(at('file'), 'text', asUs(0o600));
      expect(await node.files.read(at('file'))).toMatchObject({ mode: 0o600, ...node.owner });
    });

    test('tells when the content was written last, by the clock of the node', async () => {
      const before = Number(await node.shell('date +%s'));
      await node.files.write(at('file'), 'text', asUs());
      const after = Number(await node.shell('date +%s'));
      const { modifiedAtMs = 0 } = (await node.files.read(at('file'))) ?? {};
      expect(modifiedAtMs).toBeGreaterThanOrEqual(before * 1000 - 10);
      expect(modifiedAtMs).toBeLessThan((after + 1) * 1000);
    });

    test.for([
      ['nothing', ''],
      ['no final newline', 'a: b'],
      ['CRLF', 'a: b\r\nc: d\r\n'],
      ['a byte order mark, quotes, a dollar, a backslash and umlauts', '\uFEFF\'"$HOME`id`\\n äöü ☃ 🔑\n\n'],
      ['lines like options and here-documents', '-n\n--\nEOF\n%s\n\t\n'],
    ] as const)('keeps every byte of %s', async ([, content]) => {
      await node.files.write(at('file'), content, asUs());
      expect(await node.files.read(at('file'))).toMatchObject({ content, sha256: hash(content) });
      expect((await node.shell(`sha256sum < '${at('file')}'`)).slice(0, 64)).toBe(hash(content));
    });

    test('writes and reads 5 MB', async () => {
      const content = 'ServiceAccount key äöü 0123456789\n'.repeat(5 * 2 ** 15).slice(0, 5 * 2 ** 20);
      await node.files.write(at('large'), content, asUs());
      expect((await node.files.read(at('large')))?.sha256).toBe(hash(content));
    });

    test('reads the end of a file, where it can, without reading all of it', async (context: TestContext) => {
      const { files } = node;
      if (files.readTail === undefined) return context.skip('this adapter reads whole files only');
      expect(await files.readTail(at('absent'), 10)).toBeUndefined();
      await node.shell(`printf 'first\\nsecond\\nlast' > '${at('log')}'; : > '${at('empty')}'`);
      expect(await files.readTail(at('log'), 4)).toBe('last');
      expect(await files.readTail(at('log'), 1000)).toBe('first\nsecond\nlast');
      expect(await files.readTail(at('empty'), 10)).toBe('');
      await node.shell(`printf 'ä%s' '123' > '${at('log')}'`);
      expect(await files.readTail(at('log'), 4)).toBe('\uFFFD123');
      await expect(files.readTail(root, 10)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
    });

    test('makes missing directories, for the owner only', async () => {
      await node.files.write(at('a/b/file'), 'text', asUs());
      expect((await node.shell(`stat -c %a '${at('a')}' '${at('a/b')}'`)).trim().split('\n')).toEqual(['700', '700']);
    });

    test('lists names in order and removes files and directories, twice', async () => {
      for (const name of ['b', 'a', 'c/d']) await node.files.write(at(name), name, asUs());
      expect(await node.files.list(root)).toEqual(['a', 'b', 'c']);
      for (const name of ['a', 'c', 'a', 'c']) await node.files.remove(at(name));
      expect(await node.files.list(root)).toEqual(['b']);
    });

    test('a name with blanks and quotes is a name like any other', async () => {
      const name = `it's a "key" $HOME.pub`;
      await node.files.write(at(name), 'text', asUs());
      expect(await node.files.list(root)).toEqual([name]);
      expect((await node.files.read(at(name)))?.content).toBe('text');
      await node.files.remove(at(name));
      expect(await node.files.list(root)).toEqual([]);
    });

    test('a symbolic link stays a link', async () => {
      await node.shell(`mkdir '${at('there')}' && ln -s there/real '${at('link')}'`);
      await node.files.write(at('there/real'), 'before', asUs());
      await node.files.write(at('link'), 'after', asUs());
      expect((await node.files.read(at('there/real')))?.content).toBe('after');
      expect((await node.shell(`readlink '${at('link')}'`)).trim()).toBe('there/real');
    });

    test('a reader sees the former content or the new one, never a part', async () => {
      const contents = Array.from({ length: 8 }, (_, i) => `${i}`.repeat(200_000));
      await node.files.write(at('file'), contents[0]!, asUs());
      let writing = true;
      const seen = new Set<string | undefined>();
      const read = async (): Promise<void> => {
        while (writing) seen.add((await node.files.read(at('file')))?.sha256);
      };
      const readers = [read(), read()];
      for (const content of contents) await node.files.write(at('file'), content, asUs());
      writing = false;
      await Promise.all(readers);
      const whole = contents.map(hash);
      expect([...seen].filter((sha256) => sha256 === undefined || !whole.includes(sha256))).toEqual([]);
    });

    test('with a staging directory, nothing but the file itself ever appears beside it', async () => {
      await node.shell(`mkdir '${at('watched')}' '${at('staging')}'`);
      const options = { ...asUs(), stagingDirectory: at('staging') };
      await node.files.write(at('watched/pod.yaml'), 'x'.repeat(500_000), options);
      let writing = true;
      const seen = new Set<string>();
      const watch = async (): Promise<void> => {
        while (writing) for (const name of await node.files.list(at('watched'))) seen.add(name);
      };
      const watcher = watch();
      for (let i = 0; i < 8; i += 1) await node.files.write(at('watched/pod.yaml'), `${i}`.repeat(500_000), options);
      writing = false;
      await watcher;
      expect([...seen]).toEqual(['pod.yaml']);
      expect(await node.files.list(at('staging'))).toEqual([]);
    });

    test('a staging directory on another filesystem is not used', async (context: TestContext) => {
      await mountOrSkip(node, context, at('elsewhere'), 'size=1m');
      try {
        await node.files.write(at('file'), 'text', { ...asUs(), stagingDirectory: at('elsewhere') });
        expect((await node.files.read(at('file')))?.content).toBe('text');
        expect(await node.files.list(at('elsewhere'))).toEqual([]);
        expect(await allNames(node, root)).toEqual(['file']);
      } finally {
        await node.shell(`umount '${at('elsewhere')}'`);
      }
    });

    describe('expectedSha256', () => {
      test('writes over what was expected', async () => {
        await node.files.write(at('file'), 'before', { ...asUs(), expectedSha256: null });
        await node.files.write(at('file'), 'after', { ...asUs(), expectedSha256: hash('before') });
        expect((await node.files.read(at('file')))?.content).toBe('after');
      });

      test.for([
        ['another content', 'other', hash('before')],
        ['a file where none was expected', 'other', null],
        ['no file where one was expected', undefined, hash('before')],
      ] as const)('refuses %s with FILE_CHANGED and leaves nothing', async ([, present, expectedSha256]) => {
        if (present !== undefined) await node.files.write(at('file'), present, asUs());
        const write = node.files.write(at('file'), 'after', { ...asUs(), expectedSha256 });
        await expect(write).rejects.toMatchObject({ code: 'FILE_CHANGED', retryable: true });
        expect((await node.files.read(at('file')))?.content).toBe(present);
        expect(await allNames(node, root)).toEqual(present === undefined ? [] : ['file']);
      });

      test('of two writers exactly one wins', async () => {
        for (let round = 0; round < 10; round += 1) {
          const path = at(`race-${round}`);
          await node.files.write(path, 'before', asUs());
          const results = await Promise.allSettled(
            ['one', 'two'].map((content) =>
              node.files.write(path, content.repeat(10_000), { ...asUs(), expectedSha256: hash('before') }),
            ),
          );
          const lost = results.filter((result) => result.status === 'rejected');
          expect(lost).toHaveLength(1);
          expect(lost[0]?.reason).toMatchObject({ code: 'FILE_CHANGED', retryable: true });
          const winner = results[0]!.status === 'fulfilled' ? 'one' : 'two';
          expect((await node.files.read(path))?.content).toBe(winner.repeat(10_000));
        }
        expect(await allNames(node, root)).toHaveLength(10);
      });
    });

    test('a directory that is read-only refuses with NODE_PERMISSION_DENIED', async (context: TestContext) => {
      const frozen = at('frozen');
      await mountOrSkip(node, context, frozen, 'size=1m');
      try {
        await node.files.write(`${frozen}/file`, 'before', asUs());
        await node.shell(`mount -o remount,ro '${frozen}'`);
        const refusal = { code: 'NODE_PERMISSION_DENIED', subject: `${node.files.node}:${frozen}/file` };
        await expect(node.files.write(`${frozen}/file`, 'after', asUs())).rejects.toMatchObject(refusal);
        await expect(node.files.remove(`${frozen}/file`)).rejects.toMatchObject(refusal);
        expect((await node.files.read(`${frozen}/file`))?.content).toBe('before');
      } finally {
        await node.shell(`umount '${frozen}'`);
      }
    });

    test('a disk that is full refuses with NODE_DISK_FULL; the former file stays', async (context: TestContext) => {
      const full = at('full');
      await mountOrSkip(node, context, full, 'size=64k');
      try {
        await node.files.write(`${full}/file`, 'before', asUs());
        const write = node.files.write(`${full}/file`, 'x'.repeat(200_000), asUs());
        await expect(write).rejects.toMatchObject({ code: 'NODE_DISK_FULL', subject: expect.stringContaining(full) });
        expect((await node.files.read(`${full}/file`))?.content).toBe('before');
        expect(await allNames(node, full)).toEqual(['file']);
      } finally {
        await node.shell(`umount '${full}'`);
      }
    });

    test('what a writer that died has left is cleared by the next write of that file', async () => {
      await node.files.write(at('sa.key'), 'before', asUs(0o600));
      await node.shell(`printf half > '${at('.sa.key.keyturn-dead')}'`);
      await node.files.write(at('sa.key'), 'after', asUs(0o600));
      expect(await allNames(node, root)).toEqual(['sa.key']);
    });

    test('a node that cannot be reached is told by its name, and found again', async (context: TestContext) => {
      if (node.vanish === undefined) return context.skip('there is no way to this node that could be cut');
      await node.files.write(at('file'), 'before', asUs());
      const comeBack = node.vanish();
      const gone = { code: 'NODE_UNREACHABLE', subject: node.files.node, retryable: true };
      try {
        await expect(node.files.read(at('file'))).rejects.toMatchObject(gone);
        await expect(node.files.write(at('file'), 'after', asUs())).rejects.toMatchObject(gone);
        await expect(node.files.list(root)).rejects.toMatchObject(gone);
        await expect(node.files.remove(at('file'))).rejects.toMatchObject(gone);
      } finally {
        comeBack();
      }
      expect((await node.files.read(at('file')))?.content).toBe('before');
    });

    test.for([1, 5000, 400_000, 1_500_000])(
      'a connection that is cut after %i bytes leaves the former file, and nothing else',
      async (bytes, context: TestContext) => {
        if (node.cutAfter === undefined) return context.skip('there is no connection to this node that could be cut');
        const content = 'k'.repeat(2_000_000);
        await node.files.write(at('file'), 'before', asUs());
        const mend = node.cutAfter(bytes);
        const write = node.files.write(at('file'), content, { ...asUs(0o600), expectedSha256: hash('before') });
        await expect(write).rejects.toMatchObject({ code: 'NODE_UNREACHABLE', retryable: true });
        mend();
        // The node learns a little later than we do that nobody is there any more.
        await expect.poll(() => allNames(node, root), { timeout: 10_000 }).toEqual(['file']);
        expect((await node.files.read(at('file')))?.content).toBe('before');
        await node.files.write(at('file'), content, { ...asUs(0o600), expectedSha256: hash('before') });
        expect((await node.files.read(at('file')))?.sha256).toBe(hash(content));
      },
    );
  });
}

/** Hidden ones too, directories left out. */
async function allNames(node: NodeFilesHarness, directory: string): Promise<readonly string[]> {
  const found = await node.shell(`cd '${directory}' && find . -type f | sort`);
  return found
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace('./', ''));
}

async function mountOrSkip(node: NodeFilesHarness, context: TestContext, path: string, options: string): Promise<void> {
  await node.shell(`mkdir '${path}'`);
  try {
    await node.shell(`mount -t tmpfs -o ${options} tmpfs '${path}' && chown ${node.owner.uid} '${path}'`);
  } catch (error) {
    context.skip(`a small filesystem cannot be mounted here: ${String(error)}`);
  }
}
