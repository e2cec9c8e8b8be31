// One machine made of namespaces: network, mount, UTS, IPC and PID, with a disk of its own. Its first process takes everything with it.
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CommandOptions, type CommandOutput, observeCommand, runCommand } from '../components/run-command.ts';
import { type GuardedProcess, startGuardedProcess } from '../guarded-process.ts';
import { mountScript } from './node-mounts.ts';

export interface NamespacesOptions {
  readonly name: string;
  /** Gets `disk`, `etc-kubernetes` and `logs`. */
  readonly directory: string;
  /** Programs that the node has in /usr/bin, by name. */
  readonly programs: Readonly<Record<string, string>>;
}

/** It collects orphans, as process 1 has to. */
const initCommand = ['sh', '-c', 'while :; do sleep 86400 & wait; done'];

/** Nothing of our own environment: kubeadm would copy proxy variables into manifests. */
const environment = ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root', 'LANG=C.UTF-8'];

export class NodeNamespaces {
  readonly #options: NamespacesOptions;
  #outer: GuardedProcess | undefined;
  #initPid = 0;

  constructor(options: NamespacesOptions) {
    this.#options = options;
  }

  /** Pid of the node's first process, as the host sees it. */
  get initPid(): number {
    return this.#initPid;
  }

  /** Folder of the host that a node has as /etc/kubernetes. */
  get kubernetesDirectory(): string {
    return join(this.#options.directory, 'etc-kubernetes');
  }

  /** Folder of the host in which everything lies that the node writes, /etc/kubernetes and logs excepted. */
  get diskDirectory(): string {
    return join(this.#options.directory, 'disk');
  }

  get logsDirectory(): string {
    return join(this.#options.directory, 'logs');
  }

  /** @throws Error with what a mount said; the node is gone again then */
  async boot(): Promise<void> {
    const { name, directory, programs } = this.#options;
    const folders = [this.kubernetesDirectory, this.diskDirectory, join(this.logsDirectory, 'pods')];
    await Promise.all(folders.map((folder) => mkdir(folder, { recursive: true })));
    const namespaces = ['--mount', '--uts', '--ipc', '--net', '--pid'];
    const flags = [...namespaces, '--propagation', 'private', '--fork', '--kill-child=KILL', '--', ...initCommand];
    this.#outer = await startGuardedProcess('unshare', flags, { logFile: join(this.logsDirectory, 'init.log') });
    try {
      this.#initPid = await childOf(this.#outer.pid);
      const bound = Object.entries(programs).flat();
      await this.run(['sh', '-euc', mountScript, 'mounts', name, directory, ...bound]);
    } catch (error) {
      await this.halt();
      throw error;
    }
  }

  /** Kills every process of the node, as pulling the plug does. Settles when namespaces and mounts are gone too; the disk stays. */
  async halt(): Promise<void> {
    await this.#outer?.stop(0);
    this.#outer = undefined;
    // The kernel ends the last process of a PID namespace when all the others are gone.
    while (this.#initPid !== 0 && (await statusOf(this.#initPid)) !== undefined) await sleep(20);
    this.#initPid = 0;
  }

  /** The command line with which the host runs a command in the node. @throws Error where the node is down */
  enter(command: readonly string[]): readonly string[] {
    if (this.#initPid === 0) throw new Error(`${this.#options.name} is down`);
    const namespaces = ['--mount', '--uts', '--ipc', '--net', '--pid'];
    return ['nsenter', '--target', String(this.#initPid), ...namespaces, '--', 'env', '-i', ...environment, ...command];
  }

  /** Runs a command in the node whatever its exit code. */
  async exec(command: readonly string[], options: CommandOptions = {}): Promise<CommandOutput> {
    const [program = '', ...programArguments] = this.enter(command);
    return observeCommand(program, programArguments, options);
  }

  /** Standard output of a command that must succeed. @throws Error with the command and all that it said */
  async run(command: readonly string[], options: CommandOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.exec(command, options);
    if (code === 0) return stdout;
    const words = command.filter((word) => !word.includes('\n')).join(' ');
    throw new Error(
      `${this.#options.name}: \`${words}\` exited with ${code}: ${(stderr || stdout).trim().slice(-2000)}`,
    );
  }

  /** Writes a file in the node, whose folder is made where it is missing. */
  async write(path: string, text: string, mode = 0o644): Promise<void> {
    const script = 'mkdir -p "$(dirname "$1")"; cat > "$1"; chmod "$2" "$1"';
    await this.run(['sh', '-euc', script, 'write', path, mode.toString(8)], { input: text });
  }

  /** Starts a long-running program in the node; its log is `<name>.log`. It dies with the node. */
  async start(name: string, command: readonly string[]): Promise<GuardedProcess> {
    const [program = '', ...programArguments] = this.enter(command);
    return startGuardedProcess(program, programArguments, { logFile: join(this.logsDirectory, `${name}.log`) });
  }
}

/** Runs a command in the network namespace of a process, with everything else of the host. */
export async function runInNetworkOf(pid: number, command: readonly string[]): Promise<string> {
  return runCommand('nsenter', ['--target', String(pid), '--net', '--', ...command]);
}

async function childOf(pid: number): Promise<number> {
  for (const giveUpAt = Date.now() + 10_000; Date.now() < giveUpAt; await sleep(10)) {
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
    const child = Number.parseInt(children, 10);
    if (child > 0) return child;
  }
  throw new Error('unshare started no process: are namespaces allowed here?');
}

async function statusOf(pid: number): Promise<string | undefined> {
  return readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
}
