// Remembers which beds are on this machine, so that what a killed process left behind is found and removed.
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withLock } from '../components/lock-file.ts';
import { findFreeSubnet, hostLinkName, removeHostLink } from './bed-network.ts';
import { removeCgroup } from './node-cgroups.ts';

export interface BedRecord {
  /** Part of the names of everything that the bed has outside of its folder. */
  readonly id: string;
  readonly ownerPid: number;
  /** Tells the owner from a later process with the same pid. */
  readonly ownerStart: string;
  readonly directory: string;
  /** First three numbers of the bed's /24. */
  readonly subnet: string;
}

const defaultRegistry = '/run/keyturn-beds';

/** The path of the cgroup, below the root of every hierarchy. */
export function cgroupOf({ id }: Pick<BedRecord, 'id'>): string {
  return `keyturn-${id}`;
}

/** A new bed's id and a subnet that no other bed has, written down; beds whose owner is gone are removed first. */
export async function registerBed(directory: string, registry = defaultRegistry): Promise<BedRecord> {
  await mkdir(registry, { recursive: true });
  return inTurn(registry, async () => {
    const taken: string[] = [];
    for (const bed of await readRecords(registry)) {
      if ((await startOf(bed.ownerPid)) === bed.ownerStart) taken.push(`${bed.subnet}.0/24`);
      else await removeRemains(bed, registry);
    }
    const record: BedRecord = {
      id: randomBytes(3).toString('hex'),
      ownerPid: process.pid,
      ownerStart: (await startOf(process.pid)) ?? '',
      directory,
      subnet: await findFreeSubnet(taken),
    };
    const file = join(registry, `${record.id}.json`);
    await writeFile(`${file}.new`, JSON.stringify(record));
    await rename(`${file}.new`, file);
    return record;
  });
}

/** Called when nothing of the bed is left. */
export async function forgetBed({ id }: BedRecord, registry = defaultRegistry): Promise<void> {
  await rm(join(registry, `${id}.json`), { force: true });
}

/** The kernel ended the processes of a bed together with its owner; namespaces and mounts went with them. */
async function removeRemains(bed: BedRecord, registry: string): Promise<void> {
  await removeHostLink(hostLinkName(bed.id));
  await removeCgroup(cgroupOf(bed));
  await rm(bed.directory, { recursive: true, force: true });
  await forgetBed(bed, registry);
}

async function readRecords(registry: string): Promise<readonly BedRecord[]> {
  const names = (await readdir(registry)).filter((name) => name.endsWith('.json'));
  return Promise.all(names.map(async (name) => JSON.parse(await readFile(join(registry, name), 'utf8')) as BedRecord));
}

function inTurn<T>(registry: string, work: () => Promise<T>): Promise<T> {
  return withLock(join(registry, '.lock'), work, () => undefined);
}

/** When a process was started, in the kernel's ticks; undefined where there is none. */
async function startOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The name, in parentheses, may hold spaces; the start is the 20th field after it.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}
