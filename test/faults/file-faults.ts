// Faults of a node's files: a full disk, a folder that cannot be written, another writer, a damaged key.
import { appendFile, mkdtemp, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { succeeds } from './fault-scene.ts';
import { isDone, type Moment } from './moments.ts';
import type { FaultAtWork, Trial } from './trial.ts';

/** How often those look who change files behind Keyturn's back: quicker than a process starts, and than a step reads and writes. */
const EAGER_MS = 5;
const WRITER_MS = 40;
const BLOCK_BYTES = 4096;

export function fillDisk(directory: string, isFelt: () => Promise<boolean>): FaultAtWork {
  const filler = path.join(directory, '.filler');
  return {
    begin: async () => {
      const file = await open(filler, 'w');
      try {
        for (;;) await file.write(Buffer.alloc(BLOCK_BYTES));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      } finally {
        await file.close();
      }
    },
    isFelt,
    mend: () => rm(filler, { force: true }),
  };
}

/** Whether this file system knows the attribute and we may set it: root on most, not in every container. */
export async function canMakeImmutable(directory: string): Promise<boolean> {
  const trial = await mkdtemp(path.join(directory, 'immutable-'));
  const isImmutable =
    (await succeeds('chattr', ['+i', trial])) &&
    (await writeFile(path.join(trial, 'file'), '').then(
      () => false,
      () => true,
    ));
  await succeeds('chattr', ['-i', trial]);
  await rm(trial, { recursive: true, force: true });
  return isImmutable;
}

export function immutable(directory: string, isFelt: () => Promise<boolean>): FaultAtWork {
  const set = async (attribute: '+i' | '-i') => {
    if (!(await succeeds('chattr', [attribute, directory]))) throw new Error(`chattr ${attribute} ${directory} failed`);
  };
  return { begin: () => set('+i'), isFelt, mend: () => set('-i') };
}

/** Empties what a rotation brings beside `sa.key` and `sa.pub` from now on: what is there already may be in use. */
export function truncateNewKeys(pki: string, isFelt: () => Promise<boolean>): FaultAtWork {
  const stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();
  let present: readonly string[] = [];
  const emptyAll = async () => {
    for (const name of await readdir(pki)) {
      const file = path.join(pki, name);
      if (present.includes(name) || !/^sa-.*\.(pub|key)$/.test(name)) continue;
      const size = await stat(file).then(
        (found) => found.size,
        () => 0,
      );
      if (size > 0) await truncate(file).catch(() => undefined);
    }
  };
  return {
    begin: async () => {
      present = await readdir(pki);
      running = untilStopped(stopping.signal, EAGER_MS, emptyAll);
    },
    isFelt,
    mend: async () => {
      stopping.abort();
      await running;
    },
  };
}

/** Adds comments to the manifest, one whole file after the other, as long as nobody noticed. */
export function foreignWriter(trial: Trial, { node, step }: Moment): FaultAtWork {
  const manifest = path.join(trial.world.manifestsOf(node), 'kube-apiserver.yaml');
  const name = path.join(node, 'manifests', 'kube-apiserver.yaml');
  const stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();
  let count = 0;
  const addLine = async () => {
    const text = `# another writer was here (${(count += 1)})\n`;
    // In one write: who reads meanwhile gets the file with the line or without it.
    await appendFile(manifest, text);
    // It is lost where the file was replaced in between: as with any two writers that do not look.
    if ((await readFile(manifest, 'utf8')).includes(text)) trial.expectAddition(name, text);
  };
  return {
    begin: async () => {
      running = untilStopped(stopping.signal, WRITER_MS, addLine);
    },
    isFelt: async () => {
      const status = await trial.rotation.status();
      if (status !== undefined && isDone(status, step)) return true;
      return (await trial.rotation.pendingFailures()).includes('FILE_CHANGED');
    },
    mend: async () => {
      stopping.abort();
      await running;
    },
  };
}

async function untilStopped(signal: AbortSignal, pauseMs: number, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await work();
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}
