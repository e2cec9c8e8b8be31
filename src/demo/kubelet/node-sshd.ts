// An SSH server in each node, and what a client needs to log in to all of them: keys made for the bed, known hosts, a configuration.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../components/run-command.ts';
import type { GuardedProcess } from '../guarded-process.ts';
import type { NodeNamespaces } from './node-namespaces.ts';

export interface SshAccess {
  /** For `ssh -F <file> <node>`: user root, the bed's key, strict checking of host keys. */
  readonly configFile: string;
  readonly identityFile: string;
  readonly knownHostsFile: string;
}

/** Keys and client files of a bed. Every node has the same host key. */
export class BedSsh {
  readonly access: SshAccess;
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
    this.access = {
      configFile: join(directory, 'config'),
      identityFile: join(directory, 'id_ed25519'),
      knownHostsFile: join(directory, 'known_hosts'),
    };
  }

  static async create(directory: string): Promise<BedSsh> {
    await mkdir(directory, { mode: 0o700 });
    const ssh = new BedSsh(directory);
    for (const file of [ssh.access.identityFile, ssh.#hostKeyFile]) {
      await runCommand('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'keyturn-bed', '-f', file]);
    }
    return ssh;
  }

  /** Writes the client's files anew for these nodes. */
  async writeClientFiles(nodes: readonly { readonly name: string; readonly address: string }[]): Promise<void> {
    const [type, key] = (await readFile(`${this.#hostKeyFile}.pub`, 'utf8')).split(' ');
    const hosts = nodes.map(({ address }) => `${address} ${type} ${key}\n`);
    await writeFile(this.access.knownHostsFile, hosts.join(''));
    const entries = nodes.map(({ name, address }) => `Host ${name}\n  HostName ${address}\n`);
    const forAll = [
      'Host *',
      'User root',
      `IdentityFile ${this.access.identityFile}`,
      'IdentitiesOnly yes',
      `UserKnownHostsFile ${this.access.knownHostsFile}`,
      'GlobalKnownHostsFile /dev/null',
      'StrictHostKeyChecking yes',
      'BatchMode yes',
    ];
    await writeFile(this.access.configFile, `${entries.join('')}${forAll.join('\n  ')}\n`);
  }

  /** Starts sshd in the node, at the node's own address. */
  async startServer(node: NodeNamespaces, address: string): Promise<GuardedProcess> {
    await node.write('/etc/ssh/bed/host_key', await readFile(this.#hostKeyFile, 'utf8'), 0o600);
    await node.write('/etc/ssh/bed/authorized_keys', await readFile(`${this.access.identityFile}.pub`, 'utf8'));
    await node.write('/etc/ssh/bed/sshd_config', serverConfiguration(address));
    await node.run(['mkdir', '-p', '-m', '755', '/run/sshd']);
    return node.start('sshd', ['/usr/sbin/sshd', '-D', '-e', '-f', '/etc/ssh/bed/sshd_config']);
  }

  get #hostKeyFile(): string {
    return join(this.#directory, 'host_key');
  }
}

function serverConfiguration(address: string): string {
  return `ListenAddress ${address}
HostKey /etc/ssh/bed/host_key
AuthorizedKeysFile /etc/ssh/bed/authorized_keys
AuthenticationMethods publickey
PermitRootLogin prohibit-password
UsePAM no
PidFile none
Subsystem sftp internal-sftp
`;
}
