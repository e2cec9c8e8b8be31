// Makes the container images of a bed from programs: one docker-archive that holds all of them.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { findOnPath } from '../components/find-on-path.ts';
import { runCommand } from '../components/run-command.ts';
import { versions } from '../components/versions.ts';
import type { BedPrograms } from './bed-options.ts';

/** Tag of etcd's image, in kubeadm's form. */
export const etcdImageTag = `${versions.etcd}-0`;
/** The image of pod sandboxes. */
export const pauseImage = 'registry.k8s.io/pause:3.10.2';
/** For pods of Keyturn and of tests: /bin/sh and the usual small commands, all busybox. */
export const shellImage = 'keyturn.invalid/shell:1';

export interface ImageSource {
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

/** @throws Error where busybox is missing */
export async function imageSources(programs: BedPrograms): Promise<readonly ImageSource[]> {
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

/** @param work an empty folder for what is in between, as large as the archive */
export async function writeImageArchive(sources: readonly ImageSource[], work: string, archive: string): Promise<void> {
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
