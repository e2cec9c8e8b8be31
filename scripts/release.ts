// Makes what is published, in release/: the package, its software bill of materials (CycloneDX), and their checksums.
// The folder from which it is made must be as committed, and nothing in the lockfile may be known to be vulnerable.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { auditDependencies } from './audit-dependencies.ts';

const root = join(import.meta.dirname, '..');
const release = join(root, 'release');

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 2 ** 26,
  });
}

function refuse(why: string): never {
  console.error(`Not released. ${why}`);
  process.exit(1);
}

const changed = run('git', 'status', '--porcelain');
if (changed !== '') refuse(`These files are not as committed:\n${changed}`);
try {
  auditDependencies(root);
} catch (error) {
  refuse(error instanceof Error ? error.message : String(error));
}

await rm(release, { recursive: true, force: true });
await mkdir(release);
run('npm', 'run', 'build');
const [packed] = JSON.parse(run('npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', release)) as [
  { filename: string },
];

// From the lockfile: what the package's users get, whatever else lies in node_modules here.
const billName = packed.filename.replace(/\.tgz$/, '.cdx.json');
const lockfileOnly = ['--package-lock-only', '--omit', 'dev', '--output-reproducible'];
run('npx', '--no', 'cyclonedx-npm', '--', ...lockfileOnly, '--output-file', join(release, billName));

const sums = await Promise.all(
  [packed.filename, billName].map(async (name) => {
    const hash = createHash('sha256').update(await readFile(join(release, name)));
    return `${hash.digest('hex')}  ${name}\n`;
  }),
);
await writeFile(join(release, 'SHA256SUMS'), sums.join(''));
console.log(`release/:\n${sums.join('')}`);
