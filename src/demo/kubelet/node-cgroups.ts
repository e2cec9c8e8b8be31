// The cgroups of a bed: one folder in every hierarchy of the machine, with one below it per node.
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const removalTimeoutMs = 10_000;

interface CgroupHierarchy {
  readonly directory: string;
  readonly version: 1 | 2;
}

/** Every cgroup file system that is mounted on this machine. */
async function cgroupHierarchies(): Promise<readonly CgroupHierarchy[]> {
  const lines = (await readFile('/proc/self/mounts', 'utf8')).split('\n');
  return lines.flatMap((line): CgroupHierarchy[] => {
    const [, directory = '', type] = line.split(' ');
    if (type === 'cgroup') return [{ directory, version: 1 }];
    return type === 'cgroup2' ? [{ directory, version: 2 }] : [];
  });
}

/** Makes a cgroup in every hierarchy. `path` has no leading slash, e.g. `keyturn-bed-4f2a/node-1`. */
export async function makeCgroup(path: string): Promise<void> {
  for (const { directory, version } of await cgroupHierarchies()) {
    await mkdir(join(directory, path), { recursive: true });
    if (version === 2) await delegateControllers(directory, path.split('/'));
    await giveProcessorTime(join(directory, path.split('/')[0] ?? ''));
  }
}

/** Without it all of a bed gets as much as one process outside of it: on a busy machine its API servers would miss their liveness probes. */
async function giveProcessorTime(directory: string): Promise<void> {
  for (const [file, value] of [
    ['cpu.shares', 20 * 1024],
    ['cpu.weight', 20 * 100],
  ] as const) {
    // Each hierarchy has one of them, or none.
    await writeFile(join(directory, file), String(value), { flag: 'r+' }).catch(() => undefined);
  }
}

/** Removes a cgroup and those below it from every hierarchy, once their processes are gone. @throws Error where one stays busy for 10 s */
export async function removeCgroup(path: string): Promise<void> {
  for (const { directory } of await cgroupHierarchies()) await removeTree(join(directory, path));
}

async function removeTree(directory: string): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeTree(join(directory, entry.name));
  for (const giveUpAt = Date.now() + removalTimeoutMs; ; await sleep(50)) {
    try {
      await rmdir(directory);
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return;
      if (code !== 'EBUSY' || Date.now() > giveUpAt) throw error;
    }
  }
}

/** In version 2 a controller works in a cgroup only where all above it pass it on. */
async function delegateControllers(root: string, names: readonly string[]): Promise<void> {
  const controllers = (await readFile(join(root, 'cgroup.controllers'), 'utf8').catch(() => '')).split(/\s+/);
  for (const [depth] of names.entries()) {
    const file = join(root, ...names.slice(0, depth), 'cgroup.subtree_control');
    for (const controller of controllers) {
      // One that cannot be passed on (real-time processes keep `cpu`) is missed only where it is needed, and kubelet says so.
      if (controller !== '') await writeFile(file, `+${controller}`).catch(() => undefined);
    }
  }
}
