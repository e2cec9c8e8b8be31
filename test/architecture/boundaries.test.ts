// Each import rule bites: a small source tree that breaks every one of them, and one that breaks none.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const projectRoot = join(import.meta.dirname, '..', '..');
const depcruise = join(projectRoot, 'node_modules', '.bin', 'depcruise');
const LAYERS = '.dependency-cruiser.mjs';
const RUNTIME = '.dependency-cruiser.runtime.mjs';

type Tree = Readonly<Record<string, string>>;

interface CruiseResult {
  readonly summary: {
    readonly violations: readonly {
      readonly from: string;
      readonly to: string;
      readonly rule: { readonly name: string };
    }[];
    readonly ruleSetUsed: { readonly forbidden: readonly { readonly name: string }[] };
  };
}

const packages: Tree = {
  'package.json': JSON.stringify({
    type: 'module',
    dependencies: { '@temporalio/workflow': '*', '@temporalio/common': '*', '@temporalio/client': '*', zod: '*' },
    devDependencies: { 'fast-check': '*' },
  }),
  'node_modules/@temporalio/workflow/package.json': '{"name":"@temporalio/workflow","main":"index.js"}',
  'node_modules/@temporalio/workflow/index.js': '',
  'node_modules/@temporalio/common/package.json': '{"name":"@temporalio/common","main":"index.js"}',
  'node_modules/@temporalio/common/index.js': '',
  'node_modules/@temporalio/client/package.json': '{"name":"@temporalio/client","main":"index.js"}',
  'node_modules/@temporalio/client/index.js': '',
  'node_modules/zod/package.json': '{"name":"zod","main":"index.js"}',
  'node_modules/zod/index.js': '',
  'node_modules/fast-check/package.json': '{"name":"fast-check","main":"index.js"}',
  'node_modules/fast-check/index.js': '',
  'node_modules/undeclared/package.json': '{"name":"undeclared","main":"index.js"}',
  'node_modules/undeclared/index.js': '',
};

/** A tree as the design draws it, with every import that is allowed. */
const lawful: Tree = {
  'src/errors.ts': 'export class KeyturnError extends Error {}',
  'src/rotation/plan.ts': `import type { Jwks } from '../jwks/jwks.ts';
    import { KeyturnError } from '../errors.ts';
    export const plan = (jwks: Jwks) => { if (jwks.keys.length === 0) throw new KeyturnError(); return jwks; };`,
  'src/jwks/jwks.ts': 'export interface Jwks { readonly keys: readonly string[] }',
  'src/keys/signing-key.ts': `import { createHash } from 'node:crypto';
    export interface SigningKey { readonly pem: string }
    export const hash = createHash;`,
  'src/nodes/port.ts': `import type { Jwks } from '../jwks/jwks.ts'; export interface NodeFiles { read(): Jwks }`,
  'src/nodes/local/local-node-files.ts': `import { readFile } from 'node:fs/promises';
    import type { NodeFiles } from '../port.ts';
    export const local = { read: readFile } as unknown as NodeFiles;`,
  'src/platforms/port.ts': `import type { SigningKey } from '../keys/signing-key.ts'; export interface Platform { sign(key: SigningKey): void }`,
  'src/platforms/static-pod/static-pod-platform.ts': `import type { NodeFiles } from '../../nodes/port.ts';
    import type { Platform } from '../port.ts';
    import { hash } from '../../keys/signing-key.ts';
    export const staticPod = (files: NodeFiles): Platform => ({ sign: () => void [files, hash] });`,
  'src/activities/index.ts': `import type { Platform } from '../platforms/port.ts';
    import { plan } from '../rotation/plan.ts';
    export const createActivities = (platform: Platform) => ({ platform, plan });`,
  'src/workflows/index.ts': `import { proxyActivities } from '@temporalio/workflow';
    import { ApplicationFailure } from '@temporalio/common';
    import type { createActivities } from '../activities/index.ts';
    import { plan } from '../rotation/plan.ts';
    export const rotate = () => [proxyActivities<ReturnType<typeof createActivities>>, ApplicationFailure, plan];`,
  'src/worker/main.ts': `import { createActivities } from '../activities/index.ts';
    import { staticPod } from '../platforms/static-pod/static-pod-platform.ts';
    import { local } from '../nodes/local/local-node-files.ts';
    import { z } from 'zod';
    export const main = () => createActivities(staticPod(local)) && z;`,
  'src/cli/main.ts': `import { Client } from '@temporalio/client';
    import { main } from '../worker/main.ts';
    import { local } from '../nodes/local/local-node-files.ts';
    export const cli = [Client, main, local];`,
  'src/demo/main.ts': `import fc from 'fast-check';
    import { main } from '../worker/main.ts';
    export const demo = [fc, main];`,
};

/** One broken rule a row: the files that break it (over the lawful tree), and what the report must name. */
const breaches: readonly {
  readonly title: string;
  readonly files: Tree;
  readonly rule: string;
  readonly from: string;
  readonly to: string;
}[] = [
  {
    title: 'a workflow imports a node builtin',
    files: { 'src/workflows/direct.ts': `import 'node:fs';` },
    rule: 'workflows-reach-no-io',
    from: 'src/workflows/direct.ts',
    to: 'fs',
  },
  {
    title: 'a workflow reaches node:fs through a file that looks pure',
    files: {
      'src/workflows/indirect.ts': `import { f } from '../rotation/looks-pure.ts'; export const g = f;`,
      'src/rotation/looks-pure.ts': `import { h } from './looks-pure-too.ts'; export const f = h;`,
      'src/rotation/looks-pure-too.ts': `import { readFileSync } from 'node:fs'; export const h = readFileSync;`,
    },
    rule: 'workflows-reach-no-io',
    from: 'src/workflows/indirect.ts',
    to: 'fs',
  },
  {
    title: 'a workflow reaches src/keys through a re-export',
    files: {
      'src/workflows/keyed.ts': `export * from '../jwks/from-key.ts';`,
      'src/jwks/from-key.ts': `export { hash } from '../keys/signing-key.ts';`,
    },
    rule: 'workflows-reach-no-io',
    from: 'src/workflows/keyed.ts',
    to: 'src/keys/signing-key.ts',
  },
  {
    title: 'a workflow loads an activity',
    files: {
      'src/workflows/active.ts': `import { createActivities } from '../activities/index.ts'; export const a = createActivities;`,
    },
    rule: 'workflows-reach-no-io',
    from: 'src/workflows/active.ts',
    to: 'src/activities/index.ts',
  },
  {
    title: 'a workflow loads a package that is not made for workflows',
    files: { 'src/workflows/packaged.ts': `import { Client } from '@temporalio/client'; export const c = Client;` },
    rule: 'workflows-reach-no-io',
    from: 'src/workflows/packaged.ts',
    to: 'node_modules/@temporalio/client/index.js',
  },
  {
    title: 'a workflow loads a file on demand',
    files: { 'src/workflows/lazy.ts': `export const l = () => import('../keys/signing-key.ts');` },
    rule: 'workflows-reach-no-io',
    from: 'src/workflows/lazy.ts',
    to: 'src/keys/signing-key.ts',
  },
  {
    title: 'a cycle through three files',
    files: {
      'src/rotation/one.ts': `import { two } from './two.ts'; export const one = () => two;`,
      'src/rotation/two.ts': `import { three } from './three.ts'; export const two = () => three;`,
      'src/rotation/three.ts': `import { one } from './one.ts'; export const three = () => one;`,
    },
    rule: 'no-cycle',
    from: 'src/rotation/one.ts',
    to: 'src/rotation/two.ts',
  },
  {
    title: 'the pure core imports a node builtin',
    files: { 'src/rotation/hashing.ts': `import { createHash } from 'node:crypto'; export const c = createHash;` },
    rule: 'pure-core',
    from: 'src/rotation/hashing.ts',
    to: 'crypto',
  },
  {
    title: 'the pure core imports a package',
    files: { 'src/jwks/parsed.ts': `import { z } from 'zod'; export const c = z;` },
    rule: 'pure-core',
    from: 'src/jwks/parsed.ts',
    to: 'node_modules/zod/index.js',
  },
  {
    title: 'the pure core imports a type of an outer layer',
    files: {
      'src/rotation/outer.ts': `import type { Platform } from '../platforms/port.ts'; export type P = Platform;`,
    },
    rule: 'pure-core',
    from: 'src/rotation/outer.ts',
    to: 'src/platforms/port.ts',
  },
  {
    title: 'the error class imports something',
    files: { 'src/errors.ts': `import { z } from 'zod'; export class KeyturnError extends Error { readonly z = z; }` },
    rule: 'errors-stand-alone',
    from: 'src/errors.ts',
    to: 'node_modules/zod/index.js',
  },
  {
    title: 'an activity picks an adapter',
    files: {
      'src/activities/picky.ts': `import { local } from '../nodes/local/local-node-files.ts'; export const n = local;`,
    },
    rule: 'adapters-picked-by-composition-root',
    from: 'src/activities/picky.ts',
    to: 'src/nodes/local/local-node-files.ts',
  },
  {
    title: 'a platform picks a way of reading files on nodes',
    files: {
      'src/platforms/static-pod/picky.ts': `import { local } from '../../nodes/local/local-node-files.ts'; export const n = local;`,
    },
    rule: 'adapters-picked-by-composition-root',
    from: 'src/platforms/static-pod/picky.ts',
    to: 'src/nodes/local/local-node-files.ts',
  },
  {
    title: 'an adapter imports its sibling',
    files: {
      'src/platforms/openshift/copied.ts': `import { staticPod } from '../static-pod/static-pod-platform.ts'; export const s = staticPod;`,
    },
    rule: 'adapters-know-no-sibling',
    from: 'src/platforms/openshift/copied.ts',
    to: 'src/platforms/static-pod/static-pod-platform.ts',
  },
  {
    title: 'an adapter of one file imports its sibling',
    files: {
      'src/publishers/s3.ts': `import { toEtag } from './azure-blob.ts'; export const e = toEtag;`,
      'src/publishers/azure-blob.ts': `export const toEtag = String;`,
    },
    rule: 'adapters-know-no-sibling',
    from: 'src/publishers/s3.ts',
    to: 'src/publishers/azure-blob.ts',
  },
  {
    title: 'an adapter imports activities',
    files: {
      'src/publishers/file/calling.ts': `import { createActivities } from '../../activities/index.ts'; export const c = createActivities;`,
    },
    rule: 'adapters-know-no-caller',
    from: 'src/publishers/file/calling.ts',
    to: 'src/activities/index.ts',
  },
  {
    title: 'activities import the worker',
    files: { 'src/activities/upward.ts': `import { main } from '../worker/main.ts'; export const m = main;` },
    rule: 'worker-is-an-end',
    from: 'src/activities/upward.ts',
    to: 'src/worker/main.ts',
  },
  {
    title: 'the worker imports the CLI',
    files: { 'src/worker/upward.ts': `import { cli } from '../cli/main.ts'; export const c = cli;` },
    rule: 'cli-is-an-end',
    from: 'src/worker/upward.ts',
    to: 'src/cli/main.ts',
  },
  {
    title: 'the product imports a type of the demo',
    files: { 'src/cli/shown.ts': `import type { demo } from '../demo/main.ts'; export type D = typeof demo;` },
    rule: 'product-knows-no-demo',
    from: 'src/cli/shown.ts',
    to: 'src/demo/main.ts',
  },
  {
    title: 'the product imports a development dependency',
    files: { 'src/cli/checked.ts': `import fc from 'fast-check'; export const f = fc;` },
    rule: 'no-development-dependency',
    from: 'src/cli/checked.ts',
    to: 'node_modules/fast-check/index.js',
  },
  {
    title: 'a package is used that package.json does not name',
    files: { 'src/cli/lucky.ts': `import u from 'undeclared'; export const l = u;` },
    rule: 'no-undeclared-dependency',
    from: 'src/cli/lucky.ts',
    to: 'node_modules/undeclared/index.js',
  },
  {
    title: 'an import leads nowhere',
    files: { 'src/cli/lost.ts': `import { gone } from './gone.ts'; export const l = gone;` },
    rule: 'no-unresolvable',
    from: 'src/cli/lost.ts',
    to: './gone.ts',
  },
  {
    title: 'a file stands alone',
    files: { 'src/cli/alone.ts': `export const alone = 1;` },
    rule: 'no-orphan',
    from: 'src/cli/alone.ts',
    to: 'src/cli/alone.ts',
  },
];

let scratch: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'keyturn-boundaries-'));
});

afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

async function cruise(root: string, config: string): Promise<CruiseResult['summary']> {
  const { stdout } = await run(
    process.execPath,
    [depcruise, 'src', '--config', join(projectRoot, config), '--output-type', 'json'],
    { cwd: root, maxBuffer: 64 * 1024 * 1024 },
  );
  return (JSON.parse(stdout) as CruiseResult).summary;
}

function formatViolations({ violations }: CruiseResult['summary']): readonly string[] {
  return violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`);
}

/** Writes the tree and checks it against both graphs. */
async function cruiseTree(name: string, tree: Tree): Promise<{ found: readonly string[]; rules: readonly string[] }> {
  const root = join(scratch, name);
  for (const [path, content] of Object.entries({ ...packages, ...tree })) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  const summaries = [await cruise(root, LAYERS), await cruise(root, RUNTIME)];
  return {
    found: summaries.flatMap(formatViolations),
    rules: summaries.flatMap((summary) => summary.ruleSetUsed.forbidden.map(({ name: rule }) => rule)),
  };
}

describe('import boundaries', () => {
  it('let every import pass that the design allows', async () => {
    const { found } = await cruiseTree('lawful', lawful);
    expect(found).toEqual([]);
  });

  describe('are broken when', () => {
    let found: readonly string[];
    let rules: readonly string[];

    beforeAll(async () => {
      const files = Object.assign({}, ...breaches.map((breach) => breach.files)) as Tree;
      ({ found, rules } = await cruiseTree('unlawful', { ...lawful, ...files }));
    });

    it.each(breaches)('$title', ({ rule, from, to }) => {
      expect(found).toContain(`${rule}: ${from} -> ${to}`);
    });

    it('and no rule stands unproven', () => {
      expect(new Set(rules)).toEqual(new Set(breaches.map(({ rule }) => rule)));
    });
  });
});

describe('the source of Keyturn', () => {
  it.each([LAYERS, RUNTIME])('keeps the rules of %s', { timeout: 120_000 }, async (config) => {
    expect(formatViolations(await cruise(projectRoot, config))).toEqual([]);
  });
});
