// What is published, made from a clone: the package, its bill of materials and their checksums.
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

const root = path.join(import.meta.dirname, '../../..');
let clone: string;
let cache: string;
beforeAll(() => {
  clone = mkdtempSync(path.join(tmpdir(), 'keyturn-release-'));
  cache = mkdtempSync(path.join(tmpdir(), 'keyturn-npm-cache-'));
  const files = execFileSync('git', ['ls-files', '-z', '--cached'], { cwd: root, encoding: 'utf8' }).split('\0');
  for (const file of files.filter((name) => name !== '')) cpSync(path.join(root, file), path.join(clone, file));
  symlinkSync(path.join(root, 'node_modules'), path.join(clone, 'node_modules'));
  const git = (...args: string[]) => execFileSync('git', args, { cwd: clone });
  git('init', '--quiet');
  git('add', '--all');
  git('-c', 'user.name=test', '-c', 'user.email=test@example.com', 'commit', '--quiet', '--message', 'as committed');
});
afterAll(() => {
  for (const each of [clone, cache]) rmSync(each, { recursive: true });
});

interface Component {
  readonly purl: string;
  /** Packages that lie in its own node_modules. */
  readonly components?: readonly Component[];
}
const flatten = (components: readonly Component[]): Component[] =>
  components.flatMap((component) => [component, ...flatten(component.components ?? [])]);

/** Of npm's registry only what `npm audit` asks: known vulnerabilities by package; null where it cannot be asked. */
let advisories: Readonly<Record<string, readonly object[]>> | null = {};
let registry: Server;
beforeAll(async () => {
  registry = createServer((request, response) => {
    const isAsked = request.method === 'POST' && request.url === '/-/npm/v1/security/advisories/bulk';
    if (!isAsked || advisories === null) response.writeHead(isAsked ? 405 : 404).end();
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(advisories));
  });
  registry.listen(0, '127.0.0.1');
  await once(registry, 'listening');
});
afterAll(() => void registry.close());

function release() {
  const { port } = registry.address() as AddressInfo;
  const env = {
    ...process.env,
    npm_config_registry: `http://127.0.0.1:${port}`,
    npm_config_cache: cache,
    npm_config_fetch_retries: '0',
  };
  return promisify(execFile)(process.execPath, ['scripts/release.ts'], { cwd: clone, env });
}

it('is not made where a dependency is known to be vulnerable, or where nobody knows', async () => {
  const advisory = { id: 1, url: 'https://example.invalid/1', title: 'Accepts everything', severity: 'high' };
  advisories = { jose: [{ ...advisory, vulnerable_versions: '*', cwe: [], cvss: { score: 9, vectorString: null } }] };
  await expect(release()).rejects.toThrow(/Not released\. Its dependencies are vulnerable[^]*\n {2}jose \(high\)/);
  advisories = null;
  await expect(release()).rejects.toThrow(/Not released\. Nobody knows .* 405 .*npm_config_registry=/);
  advisories = {};
});

it('has every dependency in the bill of materials, with its version', async () => {
  await release();
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

it('is not made from files that are not committed', async () => {
  writeFileSync(path.join(clone, 'README.md'), 'changed');
  await expect(release()).rejects.toThrow(/not as committed/);
});
