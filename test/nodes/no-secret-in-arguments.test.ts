// Whoever lists the processes of the worker's machine or of a node, or reads the API servers' audit log, sees no private key.
import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AgentWatchdog } from '../../src/nodes/pod/watchdog.ts';
import type { NodeShell } from '../../src/nodes/shell/node-shell.ts';
import { COMMANDS } from '../../src/nodes/shell/scripts.ts';
import { ShellNodeFiles } from '../../src/nodes/shell/shell-node-files.ts';
import { SshShell } from '../../src/nodes/ssh/ssh-shell.ts';
import { PrivateKeySearch } from '../fixtures/private-key-search.ts';

const key = generateKeyPairSync('rsa', { modulusLength: 2048 })
  .privateKey.export({ type: 'pkcs1', format: 'pem' })
  .toString();
const search = new PrivateKeySearch({ key });
const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'keyturn-arguments-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

test('neither ssh nor any command on the node gets one in its arguments or its environment', async () => {
  const log = path.join(folder, 'processes');
  const bin = path.join(folder, 'bin');
  await mkdir(bin);
  // Each notes what /proc shows of it to everybody, then does its work.
  const note = `cat /proc/$$/cmdline /proc/$$/environ >>'${log}'; printf '\\n' >>'${log}'`;
  const real = process.env['PATH'] ?? '';
  for (const command of COMMANDS) {
    await writeFile(path.join(bin, command), `#!/bin/sh\nPATH='${real}'\n${note}\nexec ${command} "$@"\n`);
  }
  // As sshd: the last word is for the login shell.
  const last = 'for last; do :; done';
  await writeFile(path.join(bin, 'ssh'), `#!/bin/sh\n(PATH='${real}'; ${note})\n${last}\nexec /bin/sh -c "$last"\n`);
  for (const command of [...COMMANDS, 'ssh']) await chmod(path.join(bin, command), 0o755);
  vi.stubEnv('PATH', `${bin}:${real}`);

  const files = new ShellNodeFiles(new SshShell({ node: 'node-1', host: 'node-1.example' }));
  const file = path.join(folder, 'pki', 'sa.key');
  await files.write(file, key, { mode: 0o600, ...owner });
  expect((await files.read(file))?.content).toBe(key);
  await files.write(file, `${key}\n`, { mode: 0o600, ...owner, stagingDirectory: path.join(folder, 'pki') });
  expect(await files.list(path.dirname(file))).toEqual(['sa.key']);
  await files.remove(file);

  const processes = await readFile(log);
  expect(search.find(processes)).toEqual([]);
  // They were all seen: ssh with its host, and the commands with the path of the file.
  expect(processes.includes('node-1.example')).toBe(true);
  for (const command of ['mv', 'chmod', 'sha256sum', 'rm', 'cat']) {
    expect(processes.toString('latin1')).toMatch(new RegExp(`/bin/${command}\\0`));
  }
});

test('the search sees the arguments of a process', async () => {
  const log = path.join(folder, 'processes');
  await writeFile(path.join(folder, 'ssh'), `#!/bin/sh\ncat /proc/$$/cmdline >>'${log}'\nprintf 'keyturn\\n'\n`);
  await chmod(path.join(folder, 'ssh'), 0o755);
  vi.stubEnv('PATH', `${folder}:${process.env['PATH']}`);
  await new SshShell({ node: 'node-1', host: 'node-1.example' }).run('true', [key]);
  expect(search.find(await readFile(log))).not.toEqual([]);
});

test('a watchdog is armed without one in its arguments, which stand in the audit log of API servers', async () => {
  const asked: string[] = [];
  const shell: NodeShell = {
    node: 'node-1',
    run: (script, args) => {
      asked.push(script, ...args);
      return Promise.resolve({ exitCode: 0, stdout: Buffer.from('keyturn\n'), stderr: '' });
    },
  };
  const watchdog = new AgentWatchdog(shell, new ShellNodeFiles(shell), '/etc/kubernetes/keyturn-watchdog');
  const putBack = {
    path: '/etc/kubernetes/pki/sa.key',
    content: key,
    mode: 0o600,
    ...owner,
    onlyIfSha256: 'a'.repeat(64),
  };
  await watchdog.arm([putBack], 60_000);
  expect(asked).toContain('/etc/kubernetes/pki/sa.key');
  expect(search.find(asked.join('\n'))).toEqual([]);
});
