// The folder that the Dockerfile makes, made without a container engine, and the command that it runs there.
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readFile, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const projectRoot = join(import.meta.dirname, '..', '..');

/** A fresh folder with what the image has in /app. The caller removes it. */
export async function makeImageFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'keyturn-image-'));
  const tsc = join(projectRoot, 'node_modules', '.bin', 'tsc');
  const args = ['--project', 'tsconfig.build.json', '--outDir', join(folder, 'dist')];
  await promisify(execFile)(tsc, args, { cwd: projectRoot }).catch((error: unknown) => {
    throw new Error(`The build fails:\n${(error as { readonly stdout: string }).stdout}`);
  });
  await copyFile(join(projectRoot, 'package.json'), join(folder, 'package.json'));
  await symlink(join(projectRoot, 'node_modules'), join(folder, 'node_modules'), 'dir');
  return folder;
}

export async function readDockerfile(): Promise<string> {
  return readFile(join(projectRoot, 'Dockerfile'), 'utf8');
}

/** The words of CMD in exec form. */
export async function readImageCommand(): Promise<readonly string[]> {
  const [, json] = /^CMD (\[.*\])$/m.exec(await readDockerfile()) ?? [];
  return JSON.parse(json!) as string[];
}
