// Makes the container images of a bed from programs: one docker-archive that holds all of them, kept in the components' cache.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, mkdir, mkdtemp, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { defaultCacheDirectory } from '../components/component-cache.ts';
import type { OnProgress } from '../components/component.ts';
import { findOnPath } from '../components/find-on-path.ts';
import { withLock } from '../components/lock-file.ts';
import { runCommand } from '../components/run-command.ts';
import { versions } from '../components/versions.ts';
import type { BedPrograms } from './bed-options.ts';

/** Tag of etcd's image, in kubeadm's form. */
export const etcdImageTag = `${versions.etcd}-0`;
/** The image of pod sandboxes. */
export const pauseImage = 'registry.k8s.io/pause:3.10.2';
/** For pods of Keyturn and of tests: /bin/sh and the usual small commands, all busybox. */
export const shellImage = 'keyturn.invalid/shell:1';

interface ImageSource {
  readonly name: string;
  /** The program goes into /usr/local/bin; busybox goes into /bin, with a link for each of its commands. */
  readonly program: string;
  readonly command: readonly string[];
}

interface ArchiveEntry {
  readonly Config: string;
  readonly RepoTags: readonly string[];
  readonly Layers: readonly string[];
}

/** The path of the archive. It is made again when a program has changed. @throws Error where tar or busybox fails */
export async function makeImageArchive(programs: BedPrograms, onProgress: OnProgress): Promise<string> {
  const sources = await imageSources(programs);
  const cacheDirectory = defaultCacheDirectory(process.env);
  await mkdir(cacheDirectory, { recursive: true });
  const file = join(cacheDirectory, `kubelet-bed-images-${await fingerprint(sources)}.tar`);
  return withLock(
    join(cacheDirectory, '.kubelet-bed-images.lock'),
    async () => {
      if (await exists(file)) return file;
      onProgress('Making container images of the Kubernetes programs');
      await removeFormerArchives(cacheDirectory);
      const work = await mkdtemp(join(cacheDirectory, '.making-images-'));
      try {
        await writeArchive(sources, work, join(work, 'images.tar'));
        await rename(join(work, 'images.tar'), file);
      } finally {
        await rm(work, { recursive: true, force: true });
      }
      return file;
    },
    (pid) => onProgress(`Waiting for process ${pid}, which is making the container images`),
  );
}

async function imageSources(programs: BedPrograms): Promise<readonly ImageSource[]> {
  const busybox = await findOnPath('busybox', process.env['PATH']);
  if (busybox === undefined) throw new Error('busybox is not installed');
  const kubernetes = (['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'] as const).map((name) => ({
    name: `registry.k8s.io/${name}:v${versions[name]}`,
    program: programs[name],
    command: [name],
  }));
  return [
    ...kubernetes,
    { name: `registry.k8s.io/etcd:${etcdImageTag}`, program: programs.etcd, command: ['etcd'] },
    { name: pauseImage, program: busybox, command: ['sleep', '2147483647'] },
    { name: shellImage, program: busybox, command: ['sh'] },
  ];
}

async function writeArchive(sources: readonly ImageSource[], work: string, archive: string): Promise<void> {
  const entries: ArchiveEntry[] = [];
  const layers = new Map<string, string>();
  for (const { name, program, command } of sources) {
    const digest = layers.get(program) ?? (await writeLayer(program, work));
    layers.set(program, digest);
    const config = JSON.stringify({
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: { Env: ['PATH=/usr/local/bin:/bin'], Cmd: command },
      rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
    });
    const configFile = `${createHash('sha256').update(config).digest('hex')}.json`;
    await writeFile(join(work, configFile), config);
    entries.push({ Config: configFile, RepoTags: [name], Layers: [`${digest}.tar`] });
  }
  await writeFile(join(work, 'manifest.json'), JSON.stringify(entries));
  const files = new Set(['manifest.json', ...entries.flatMap(({ Config, Layers }) => [Config, ...Layers])]);
  await runCommand('tar', ['-cf', archive, '-C', work, ...files]);
}

/** Writes `<digest>.tar` and gives the digest. */
async function writeLayer(program: string, work: string): Promise<string> {
  const layer = join(work, 'layer.tar');
  const isBusybox = basename(program) === 'busybox';
  if (isBusybox) await writeBusyboxLayer(program, work, layer);
  else {
    const toPath = `--transform=s,^,usr/local/bin/,`;
    await runCommand('tar', ['-cf', layer, ...ownedByRoot, toPath, '-C', dirname(program), basename(program)]);
  }
  const hash = createHash('sha256');
  await pipeline(createReadStream(layer), hash);
  const digest = hash.digest('hex');
  await rename(layer, join(work, `${digest}.tar`));
  return digest;
}

const ownedByRoot = ['--owner=0', '--group=0', '--mtime=@0'];

async function writeBusyboxLayer(busybox: string, work: string, layer: string): Promise<void> {
  const root = join(work, 'busybox-root');
  await Promise.all(['bin', 'etc', 'root'].map((folder) => mkdir(join(root, folder), { recursive: true })));
  await mkdir(join(root, 'tmp'), { mode: 0o1777 });
  await runCommand('cp', [busybox, join(root, 'bin', 'busybox')]);
  const commands = (await runCommand(busybox, ['--list'])).trim().split('\n');
  await Promise.all(
    commands.filter((name) => name !== 'busybox').map((name) => symlink('busybox', join(root, 'bin', name))),
  );
  await writeFile(join(root, 'etc', 'passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  await writeFile(join(root, 'etc', 'group'), 'root:x:0:\n');
  await runCommand('tar', ['-cf', layer, ...ownedByRoot, '-C', root, '.']);
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

async function removeFormerArchives(cacheDirectory: string): Promise<void> {
  const names = (await readdir(cacheDirectory)).filter((name) => name.startsWith('kubelet-bed-images-'));
  await Promise.all(names.map((name) => rm(join(cacheDirectory, name), { force: true })));
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
