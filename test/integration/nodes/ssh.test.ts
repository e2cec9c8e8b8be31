// Files of a node over the system's OpenSSH client, from a real sshd on loopback.
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ShellNodeFiles } from '../../../src/nodes/shell/shell-node-files.ts';
import { SshShell } from '../../../src/nodes/ssh/ssh-shell.ts';
import { nodeFilesContract } from '../../contract/node-files.ts';
import { CuttingProxy } from '../../fixtures/cutting-proxy.ts';
import { hasSshd, startSshServer } from '../../fixtures/ssh-server.ts';
import type { SshServer } from '../../fixtures/ssh-server.ts';

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;
const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const isThere = await hasSshd();

if (isThere) {
  nodeFilesContract('ssh', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'keyturn-node-files-'));
    const server = await startSshServer();
    const way = await CuttingProxy.start(server.port);
    const configFile = await server.config('node-1.example', way.port);
    return {
      files: new ShellNodeFiles(new SshShell({ node: 'node-1', host: 'node-1.example', configFile })),
      directory,
      owner,
      ...(isRoot ? { otherOwner: { uid: 65534, gid: 65534 } } : {}),
      shell: async (script) => (await run('sh', ['-c', script])).stdout,
      vanish: () => {
        way.cut();
        return () => way.restore();
      },
      cutAfter: (bytes) => {
        way.cutAfter(bytes);
        return () => way.restore();
      },
      close: async () => {
        await way.close();
        await server.stop();
        await rm(directory, { recursive: true });
      },
    };
  });
}

describe.runIf(isThere)('SshShell', () => {
  let server: SshServer;
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'keyturn-ssh-'));
    // Programs of the test's own come first there.
    await mkdir(join(directory, 'bin'));
    server = await startSshServer([`SetEnv PATH=${join(directory, 'bin')}:${process.env['PATH']}`]);
  });
  afterAll(async () => {
    await server.stop();
    await rm(directory, { recursive: true });
  });

  const filesBy = async (lines: readonly string[], options: { sudo?: boolean; user?: string; port?: number } = {}) => {
    const configFile = await server.config('node-1.example', server.port, lines);
    return new ShellNodeFiles(new SshShell({ node: 'node-1', host: 'node-1.example', configFile, ...options }));
  };

  test('a host key that is not known is refused, whatever the configuration says, and not tried again', async () => {
    await writeFile(join(directory, 'nobody'), '');
    const files = await filesBy([
      `UserKnownHostsFile ${join(directory, 'nobody')}`,
      'StrictHostKeyChecking no',
      'BatchMode no',
    ]);
    await expect(files.list('/')).rejects.toMatchObject({
      code: 'NODE_UNREACHABLE',
      subject: 'node-1',
      retryable: false,
      message: expect.stringContaining('known hosts'),
    });
    expect(await readFile(join(directory, 'nobody'), 'utf8')).toBe('');
  });

  test('a user whose key is not accepted is told to make ssh work without questions', async () => {
    const files = await filesBy([`IdentityFile ${join(server.directory, 'other_key')}`]);
    const otherAgent = {
      code: 'NODE_UNREACHABLE',
      retryable: false,
      message: expect.stringContaining('BatchMode=yes'),
    };
    // `IdentityFile` adds up: the client key of the defaults must not be among them.
    const refused = new ShellNodeFiles(
      new SshShell({
        node: 'node-1',
        host: 'node-1.example',
        user: 'nobody',
        configFile: await server.config('node-1.example', server.port),
      }),
    );
    await expect(refused.list('/')).rejects.toMatchObject(otherAgent);
    expect(await files.list('/')).toContain('tmp');
  });

  test('a port on which nobody listens is tried again', async () => {
    const files = await filesBy([], { port: 1 });
    await expect(files.list('/')).rejects.toMatchObject({ code: 'NODE_UNREACHABLE', retryable: true });
  });

  test("the user's own settings hold: a master connection carries the next commands", async () => {
    const socket = join(directory, 'master');
    const configFile = await server.config('node-1.example', server.port, [
      'ControlMaster auto',
      `ControlPath ${socket}`,
      'ControlPersist 60',
    ]);
    const files = new ShellNodeFiles(new SshShell({ node: 'node-1', host: 'node-1.example', configFile }));
    try {
      for (let i = 0; i < 3; i += 1) await files.write(join(directory, 'shared'), `${i}`, { mode: 0o600, ...owner });
      expect((await files.read(join(directory, 'shared')))?.content).toBe('2');
      const { stderr } = await run('ssh', ['-F', configFile, '-O', 'check', 'node-1.example']);
      expect(stderr).toContain('Master running');
    } finally {
      await run('ssh', ['-F', configFile, '-O', 'exit', 'node-1.example']);
    }
  });

  test('with sudo, everything is run by it, without a password and with its words kept apart', async () => {
    await writeFile(
      join(directory, 'bin/sudo'),
      `#!/bin/sh\n[ "$1 $2 $3 $4" = "-n -- sh -c" ] || exit 99\nprintf 'sudo\\n' >> '${directory}/asked'\nshift 2\nexec "$@"\n`,
    );
    await chmod(join(directory, 'bin/sudo'), 0o755);
    const files = await filesBy([], { sudo: true });
    const path = join(directory, `it's "odd" $HOME`);
    await files.write(path, 'text', { mode: 0o600, ...owner });
    expect((await files.read(path))?.content).toBe('text');
    expect(await readFile(join(directory, 'asked'), 'utf8')).toBe('sudo\nsudo\n');
  });

  test('a sudo that wants a password is an error of rights, not of the connection', async () => {
    await writeFile(join(directory, 'bin/sudo'), `#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n`);
    await chmod(join(directory, 'bin/sudo'), 0o755);
    const files = await filesBy([], { sudo: true });
    await expect(files.list('/')).rejects.toMatchObject({
      code: 'NODE_PERMISSION_DENIED',
      retryable: false,
      message: expect.stringContaining('NOPASSWD'),
    });
  });

  test('a node that hangs is given up after the time that was set', async () => {
    const configFile = await server.config('node-1.example', server.port);
    const shell = new SshShell({ node: 'node-1', host: 'node-1.example', configFile, timeoutMs: 1500 });
    await expect(shell.run('sleep 30', [])).rejects.toMatchObject({ code: 'NODE_UNREACHABLE', retryable: true });
  });

  test('what goes to the node stands neither in the arguments of ssh nor in those on the node', async () => {
    const content = 'a private key, say';
    await writeFile(
      join(directory, 'bin/chmod'),
      `#!/bin/sh\nps -eo args > '${directory}/processes'\nexec /bin/chmod "$@"\n`,
    );
    await chmod(join(directory, 'bin/chmod'), 0o755);
    const files = await filesBy([]);
    await files.write(join(directory, 'key'), content, { mode: 0o600, ...owner });
    await rm(join(directory, 'bin/chmod'));
    const processes = await readFile(join(directory, 'processes'), 'utf8');
    expect(processes).toContain(join(directory, 'key'));
    expect(processes).not.toContain(content);
  });
});
