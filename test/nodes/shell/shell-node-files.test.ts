// The scripts of ShellNodeFiles in the shells and with the commands that nodes and images have.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NodeShell } from '../../../src/nodes/shell/node-shell.ts';
import { COMMANDS } from '../../../src/nodes/shell/scripts.ts';
import { ShellNodeFiles } from '../../../src/nodes/shell/shell-node-files.ts';
import { nodeFilesContract } from '../../contract/node-files.ts';
import { busyboxFolder, ChildShell } from '../../fixtures/child-shell.ts';

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;
const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

nodeFilesContract('dash and GNU coreutils', async () => harness(new ChildShell({ command: ['dash'] })));

nodeFilesContract('busybox', async () => {
  const { path, remove } = await busyboxFolder(['sh', ...COMMANDS]);
  return harness(new ChildShell({ command: [join(path, 'sh')], path }), remove);
});

// What an agent pod has: root without privileges.
const AGENT_CAPABILITIES = ['chown', 'dac_override'];
const asRootWith = (capabilities: readonly string[]) => [
  'setpriv',
  '--bounding-set',
  ['-all', ...capabilities.map((name) => `+${name}`)].join(','),
  '--',
  'dash',
];
const canDropCapabilities =
  isRoot &&
  (await run('setpriv', ['--bounding-set', '-all', 'true']).then(
    () => true,
    () => false,
  ));

if (canDropCapabilities) {
  nodeFilesContract('root with the capabilities of an agent pod', async () =>
    harness(new ChildShell({ command: asRootWith(AGENT_CAPABILITIES) })),
  );
}

describe('ShellNodeFiles', () => {
  let directory: string;
  const files = new ShellNodeFiles(new ChildShell({ command: ['dash'] }));
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'keyturn-shell-'));
  });
  afterEach(() => rm(directory, { recursive: true }));
  const at = (name: string): string => join(directory, name);

  test('a write that is begun again while its first beginning still hangs on a dead connection is done', async () => {
    const hanging: ChildProcess[] = [];
    const shell = new ChildShell({ command: ['dash'] });
    const twice: NodeShell = {
      node: 'node-1',
      run: async (script, args, stdin = Buffer.alloc(0)) => {
        const first = spawn('sh', ['-c', script, 'keyturn', ...args]);
        hanging.push(first);
        first.stdin.write(stdin.subarray(0, 90));
        await expect.poll(() => readdir(directory), { timeout: 20_000 }).toHaveLength(1);
        return shell.run(script, args, stdin);
      },
    };
    try {
      await new ShellNodeFiles(twice).write(at('file'), 'x'.repeat(1000), { mode: 0o600, ...owner });
      expect(await readdir(directory)).toEqual(['file']);
      expect(await readFile(at('file'), 'utf8')).toBe('x'.repeat(1000));
      const [first] = hanging;
      const ended = once(first!, 'close');
      first!.stdin!.end();
      await ended;
      expect(await readdir(directory)).toEqual(['file']);
    } finally {
      for (const child of hanging) child.kill('SIGKILL');
    }
  });

  test.for([
    ['before it began', ''],
    ['in the middle', 'keyturn\n'],
  ] as const)('a command that is ended by a signal %s is worth another try: the node goes down', async ([, stdout]) => {
    const answer = { exitCode: 137, stdout: Buffer.from(stdout), stderr: '' };
    const gone = new ShellNodeFiles({ node: 'node-1', run: () => Promise.resolve(answer) });
    const refusal = { code: 'NODE_UNREACHABLE', subject: 'node-1', retryable: true };
    await expect(gone.read('/file')).rejects.toMatchObject(refusal);
    await expect(gone.write('/file', 'text', { mode: 0o600, ...owner })).rejects.toMatchObject(refusal);
    await expect(gone.list('/')).rejects.toMatchObject(refusal);
    await expect(gone.remove('/file')).rejects.toMatchObject(refusal);
  });

  test('a file that is not UTF-8, a directory, and a link in a circle are refused', async () => {
    await writeFile(at('latin1'), Buffer.from([0x6b, 0xe4, 0x73, 0x65]));
    await symlink('loop', at('loop'));
    for (const name of ['latin1', '.', 'loop']) {
      await expect(files.read(join(directory, name))).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
    }
    await mkdir(at('folder'));
    const write = files.write(at('folder'), 'text', { mode: 0o600, ...owner });
    await expect(write).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
    expect(await readdir(at('folder'))).toEqual([]);
  });

  test('times are as precise as the node tells them, and never later than true', async () => {
    await writeFile(at('file'), 'text');
    await utimes(at('file'), 1_767_225_600.987654, 1_767_225_600.987654);
    const { modifiedAtMs = 0 } = (await files.read(at('file'))) ?? {};
    expect(modifiedAtMs).toBeCloseTo(1_767_225_600_987.654, 2);
    await mkdir(at('bin'));
    // A `stat` that knows whole seconds only, as some builds of busybox do.
    await writeFile(at('bin/stat'), `#!/bin/sh\n/usr/bin/stat "$@" | sed 's/\\.[0-9]* / /'\n`);
    await chmod(at('bin/stat'), 0o755);
    const coarse = new ChildShell({ command: ['dash'], path: `${at('bin')}:${process.env['PATH']}` });
    expect((await new ShellNodeFiles(coarse).read(at('file')))?.modifiedAtMs).toBe(1_767_225_600_000);
  });

  test('the lock of a writer that died is broken after half a minute; a fresh one is respected', async () => {
    await symlink('somebody', at('.keyturn-lock.sa.key'));
    const write = () => files.write(at('sa.key'), 'text', { mode: 0o600, ...owner });
    await expect(write()).rejects.toMatchObject({ code: 'FILE_CHANGED', retryable: true });
    expect(await readdir(directory)).toEqual(['.keyturn-lock.sa.key']);
    await run('touch', ['-h', '-d', '31 seconds ago', at('.keyturn-lock.sa.key')]);
    await write();
    expect(await readdir(directory)).toEqual(['sa.key']);
  });

  test('of ten writers with the same expectation exactly one wins', async () => {
    await writeFile(at('file'), 'before');
    const expectedSha256 = '7eb8f1ae16b0b5cc8d7d6ef2e5ac8e1ff1ad7d8b5c1f0fdd26f51ad8cd0f6d20';
    await expect(files.write(at('file'), 'x', { mode: 0o600, ...owner, expectedSha256 })).rejects.toMatchObject({
      code: 'FILE_CHANGED',
    });
    const { sha256 = '' } = (await files.read(at('file'))) ?? {};
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, (_, i) =>
        files.write(at('file'), `${i}`.repeat(50_000), { mode: 0o600, ...owner, expectedSha256: sha256 }),
      ),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const winner = results.findIndex(({ status }) => status === 'fulfilled');
    expect(await readFile(at('file'), 'utf8')).toBe(`${winner}`.repeat(50_000));
    expect(await readdir(directory)).toEqual(['file']);
  });

  test('what a login shell prints before our output is not taken for it', async () => {
    const chatty = new ChildShell({ command: ['sh', '-c', 'echo Welcome; exec dash "$@"', 'sh'] });
    await writeFile(at('file'), 'text');
    expect((await new ShellNodeFiles(chatty).read(at('file')))?.content).toBe('text');
  });

  test('a command that the node lacks is named', async () => {
    const { path, remove } = await busyboxFolder(COMMANDS.filter((name) => !/^s(tat|ync)$/.test(name)));
    const shell = new ChildShell({ command: ['/usr/bin/dash'], path });
    await expect(new ShellNodeFiles(shell).read(at('file'))).rejects.toMatchObject({
      code: 'NODE_COMMAND_MISSING',
      subject: 'node-1',
      retryable: false,
      message: expect.stringContaining('stat sync'),
    });
    await remove();
  });

  test.runIf(canDropCapabilities).for([
    ['chown', 'give a file to its owner'],
    ['dac_override', "read another user's private key"],
  ] as const)('without CAP_%s an agent could not %s', async ([missing]) => {
    await files.write(at('sa.key'), 'text', { mode: 0o600, uid: 1234, gid: 1234 });
    const others = AGENT_CAPABILITIES.filter((capability) => capability !== missing);
    const weaker = new ShellNodeFiles(new ChildShell({ command: asRootWith(others) }));
    const attempt =
      missing === 'chown'
        ? weaker.write(at('gift'), 'text', { mode: 0o644, uid: 1234, gid: 1234 })
        : weaker.read(at('sa.key'));
    await expect(attempt).rejects.toMatchObject({ code: 'NODE_PERMISSION_DENIED' });
  });
});

async function harness(shell: ChildShell, close: () => Promise<void> = async () => undefined) {
  const directory = await mkdtemp(join(tmpdir(), 'keyturn-node-files-'));
  return {
    files: new ShellNodeFiles(shell),
    directory,
    owner,
    ...(isRoot ? { otherOwner: { uid: 65534, gid: 65534 } } : {}),
    shell: async (script: string) => (await run('sh', ['-c', script])).stdout,
    close: async () => {
      await rm(directory, { recursive: true });
      await close();
    },
  };
}
