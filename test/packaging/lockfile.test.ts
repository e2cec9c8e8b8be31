// The lockfile must install anywhere: from any registry, on any system.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';

interface LockedPackage {
  readonly version?: string;
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

let packages: Readonly<Record<string, LockedPackage>>;

beforeAll(async () => {
  const lockfile = join(import.meta.dirname, '..', '..', 'package-lock.json');
  ({ packages } = JSON.parse(await readFile(lockfile, 'utf8')) as { packages: typeof packages });
});

/** Node's own rule: beside the package, or beside one that holds it. */
function isLocked(from: string, name: string): boolean {
  if (`${from}${from && '/'}node_modules/${name}` in packages) return true;
  return from !== '' && isLocked(from.slice(0, Math.max(0, from.lastIndexOf('node_modules/') - 1)), name);
}

describe('package-lock.json', () => {
  it('carries no registry address', () => {
    const addressed = Object.entries(packages).filter(([, { resolved }]) => resolved !== undefined);
    expect(addressed.map(([path]) => path)).toEqual([]);
  });

  it('has the native packages of every system, as a registry that lacks some makes npm leave them out and `npm ci` fail', () => {
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies }]) =>
      Object.keys(optionalDependencies ?? {}).filter((name) => !isLocked(path, name)),
    );
    expect(missing).toEqual([]);
  });
});
