// A containerd folder that holds the images of a bed, kept in the components' cache: nodes get it in a moment instead of importing 330 MB each.
import { createHash } from 'node:crypto';
import { access, copyFile, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultCacheDirectory } from '../components/component-cache.ts';
import type { OnProgress } from '../components/component.ts';
import { withLock } from '../components/lock-file.ts';
import { observeCommand, runCommand } from '../components/run-command.ts';
import type { BedPrograms } from './bed-options.ts';
import { type ImageSource, imageSources, writeImageArchive } from './container-images.ts';
import { startContainerd } from './containerd.ts';
import { NodeNamespaces } from './node-namespaces.ts';

const prefix = 'kubelet-bed-images-';

/** The path of the folder. It is made again when a program has changed. @throws Error with what failed */
export async function getImageStore(programs: BedPrograms, onProgress: OnProgress): Promise<string> {
  const sources = await imageSources(programs);
  const cacheDirectory = defaultCacheDirectory(process.env);
  await mkdir(cacheDirectory, { recursive: true });
  const store = join(cacheDirectory, `${prefix}${await fingerprint(sources)}`);
  return withLock(
    join(cacheDirectory, `.${prefix}lock`),
    async () => {
      if (await exists(store)) return store;
      onProgress('Making container images of the Kubernetes programs');
      await removeFormerStores(cacheDirectory);
      const work = await mkdtemp(join(cacheDirectory, '.making-images-'));
      try {
        await fillStore(sources, work, store);
      } finally {
        await rm(work, { recursive: true, force: true });
      }
      return store;
    },
    (pid) => onProgress(`Waiting for process ${pid}, which is making the container images`),
  );
}

/**
 * Gives a node's containerd the images, before it starts. Layers are shared with the store where they lie on the same file system:
 * overlayfs does not write to them.
 */
export async function copyImageStore(store: string, containerdDirectory: string): Promise<void> {
  await mkdir(join(containerdDirectory, '..'), { recursive: true });
  const linked = await observeCommand('cp', ['--archive', '--link', store, containerdDirectory]);
  if (linked.code !== 0) {
    await rm(containerdDirectory, { recursive: true, force: true });
    await runCommand('cp', ['--archive', store, containerdDirectory]);
  }
  // containerd's databases are written in place.
  for (const entry of await readdir(store, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    for (const name of await readdir(join(store, entry.name))) {
      if (!name.endsWith('.db')) continue;
      await rm(join(containerdDirectory, entry.name, name));
      await copyFile(join(store, entry.name, name), join(containerdDirectory, entry.name, name));
    }
  }
}

/** Imports the images with a containerd on a machine made for that. */
async function fillStore(sources: readonly ImageSource[], work: string, store: string): Promise<void> {
  const importer = new NodeNamespaces({ name: 'image-importer', directory: work, programs: {} });
  const parts = join(work, 'parts');
  const variable = join(importer.diskDirectory, 'var');
  await Promise.all([mkdir(parts), mkdir(variable, { recursive: true })]);
  await writeImageArchive(sources, parts, join(variable, 'images.tar'));
  await importer.boot();
  try {
    await startContainerd(importer);
    await importer.run(['ctr', '--namespace', 'k8s.io', 'images', 'import', '/var/images.tar']);
  } finally {
    await importer.halt();
  }
  await rename(join(variable, 'lib', 'containerd'), store);
}

/** Of what the images are made of, without reading the programs. */
async function fingerprint(sources: readonly ImageSource[]): Promise<string> {
  const facts = sources.map(async (source) => {
    const { size, mtimeMs } = await stat(source.program);
    return { ...source, size, mtimeMs };
  });
  return createHash('sha256')
    .update(JSON.stringify(await Promise.all(facts)))
    .digest('hex')
    .slice(0, 16);
}

async function removeFormerStores(cacheDirectory: string): Promise<void> {
  const names = (await readdir(cacheDirectory)).filter((name) => name.startsWith(prefix));
  await Promise.all(names.map((name) => rm(join(cacheDirectory, name), { recursive: true, force: true })));
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
