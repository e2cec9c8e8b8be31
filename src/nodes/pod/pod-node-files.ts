// Files of a node through its agent pod, within the folders that the agent sees.
import { posix } from 'node:path';
import type { NodeFile, NodeFiles, NodeWatchdog, WriteOptions } from '../port.ts';
import { ShellNodeFiles } from '../shell/shell-node-files.ts';
import { outsideHostPaths } from './agent-errors.ts';
import type { PodShell } from './pod-shell.ts';
import { AgentWatchdog } from './watchdog.ts';

export class PodNodeFiles implements NodeFiles {
  readonly node: string;
  readonly watchdog: NodeWatchdog;
  readonly #files: ShellNodeFiles;
  readonly #hostPaths: readonly string[];

  constructor(shell: PodShell, hostPaths: readonly string[], watchdogFolder: string) {
    this.node = shell.node;
    this.#files = new ShellNodeFiles(shell);
    this.#hostPaths = hostPaths;
    this.watchdog = new AgentWatchdog(shell, this.#files, watchdogFolder);
  }

  async read(path: string): Promise<NodeFile | undefined> {
    return this.#files.read(this.#seen(path));
  }

  async write(path: string, content: string, options: WriteOptions): Promise<void> {
    await this.#files.write(this.#seen(path), content, options);
  }

  async list(directory: string): Promise<readonly string[]> {
    return this.#files.list(this.#seen(directory));
  }

  async remove(path: string): Promise<void> {
    await this.#files.remove(this.#seen(path));
  }

  /** What is elsewhere would look as if it did not exist. @throws CONFIG_INVALID */
  #seen(path: string): string {
    const whole = posix.normalize(path);
    if (this.#hostPaths.some((folder) => whole === folder || whole.startsWith(`${folder}/`))) return whole;
    throw outsideHostPaths(this.node, path, this.#hostPaths);
  }
}
