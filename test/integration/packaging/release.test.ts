// What is published, made from a clone: the package, its bill of materials and their checksums.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

const root = path.join(import.meta.dirname, '../../..');
let clone: string;
beforeAll(() => {
  clone = mkdtempSync(path.join(tmpdir(), 'keyturn-release-'));
  const files = execFileSync('git', ['ls-files', '-z', '--cached'], { cwd: root, encoding: 'utf8' }).split('\0');
  for (const file of files.filter((name) => name !== '')) cpSync(path.join(root, file), path.join(clone, file));
  symlinkSync(path.join(root, 'node_modules'), path.join(clone, 'node_modules'));
  const git = (...args: string[]) => execFileSync('git', args, { cwd: clone });
  git('init', '--quiet');
  git('add', '--all');
  git('-c', 'user.name=test', '-c', 'user.email=test@example.com', 'commit', '--quiet', '--message', 'as committed');
});
afterAll(() => rmSync(clone, { recursive: true }));

interface Component {
  readonly purl: string;
  /** Packages that lie in its own node_modules. */
  readonly components?: readonly Component[];
}
const flatten = (components: readonly Component[]): Component[] =>
  components.flatMap((component) => [component, ...flatten(component.components ?? [])]);

const release = () =>
  execFileSync(process.execPath, ['scripts/release.ts'], { cwd: clone, encoding: 'utf8', stdio: 'pipe' });

it('has every dependency in the bill of materials, with its version', () => {
  release();
  const read = (name: string) => readFileSync(path.join(clone, 'release', name));
  const sums = read('SHA256SUMS').toString().trim().split('\n');
  expect(sums.map((line) => line.split('  ')[1])).toEqual(['keyturn-0.1.0.tgz', 'keyturn-0.1.0.cdx.json']);
  for (const [sum, name = ''] of sums.map((line) => line.split('  '))) {
    expect(createHash('sha256').update(read(name)).digest('hex')).toBe(sum);
  }
  const bill = JSON.parse(read('keyturn-0.1.0.cdx.json').toString()) as {
    metadata: { component: Component };
    components: Component[];
  };
  expect(bill.metadata.component.purl).toMatch(/^pkg:npm\/keyturn@0\.1\.0/);
  const listed = flatten(bill.components).map(({ purl }) => decodeURIComponent(purl.replace(/\?.*/, '')));
  const lockfile = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<
      string,
      { version: string; dev?: boolean; devOptional?: boolean; optional?: boolean; peer?: boolean }
    >;
  };
  const needed = Object.entries(lockfile.packages).filter(
    ([location, { dev, devOptional, optional, peer }]) => location !== '' && !dev && !devOptional && !optional && !peer,
  );
  expect(needed.length).toBeGreaterThan(40);
  for (const [location, { version }] of needed) {
    const name = location.slice(location.lastIndexOf('node_modules/') + 'node_modules/'.length);
    expect(listed).toContain(`pkg:npm/${name}@${version}`);
  }
});

it('is not made from files that are not committed', () => {
  writeFileSync(path.join(clone, 'README.md'), 'changed');
  expect(release).toThrow(/not as committed/);
});
