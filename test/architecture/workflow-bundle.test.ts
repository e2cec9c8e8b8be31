// The gate that Temporal itself keeps: workflow code is bundled for a sandbox without I/O, and a bundle that needs more is refused.
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { bundleWorkflowCode } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const projectRoot = join(import.meta.dirname, '..', '..');

let scratch: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'keyturn-bundle-'));
  // The bundler resolves the Temporal packages from beside the entry.
  await symlink(join(projectRoot, 'node_modules'), join(scratch, 'node_modules'), 'dir');
});

afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

interface BundleOutcome {
  readonly bundled: boolean;
  readonly code: string;
  readonly sources: readonly string[];
  /** What webpack had to say, its errors among it. */
  readonly log: string;
}

/** Files that went into a bundle, by its inline source map. */
function readSources(code: string): readonly string[] {
  const [, map = ''] = code.split('//# sourceMappingURL=data:application/json;charset=utf-8;base64,');
  return (JSON.parse(Buffer.from(map, 'base64').toString()) as { readonly sources: readonly string[] }).sources;
}

async function bundle(workflowsPath: string): Promise<BundleOutcome> {
  const messages: string[] = [];
  const note = (...parts: readonly unknown[]): void => void messages.push(parts.map(String).join(' '));
  const logger = { log: note, trace: note, debug: note, info: note, warn: note, error: note };
  try {
    const { code } = await bundleWorkflowCode({ workflowsPath, logger });
    return { bundled: true, code, sources: readSources(code), log: messages.join('\n') };
  } catch (error) {
    return { bundled: false, code: '', sources: [], log: [...messages, String(error)].join('\n') };
  }
}

async function bundleTree(files: Readonly<Record<string, string>>): Promise<BundleOutcome> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(scratch, path)), { recursive: true });
    await writeFile(join(scratch, path), content);
  }
  return bundle(join(scratch, Object.keys(files)[0]!));
}

/** Packages a source map names, e.g. `@temporalio/workflow`. */
function listPackages(sources: readonly string[]): readonly string[] {
  const names = sources.map((source) => /node_modules\/(?<name>(?:@[^/]+\/)?[^/]+)\//.exec(source)?.groups?.['name']);
  return [...new Set(names.filter((name) => name !== undefined))].toSorted();
}

describe('the workflow bundle', () => {
  let bare: BundleOutcome;

  beforeAll(async () => {
    bare = await bundleTree({ 'pure/index.ts': 'export async function pure() { return 1; }' });
  });

  it('is built for an entry that computes only', () => {
    expect(bare.bundled, bare.log).toBe(true);
    expect(bare.sources).toContainEqual(expect.stringMatching(/pure\/index\.ts$/));
  });

  it('is built from src/workflows, the pure core and the packages that every workflow bundle has', async () => {
    const source = join(projectRoot, 'src') + sep;
    const { bundled, code, sources, log } = await bundle(join(source, 'workflows', 'index.ts'));
    expect(bundled, log).toBe(true);
    expect(code).toContain('rotateSigningKey');
    const ours = sources.filter((path) => path.startsWith(source)).map((path) => path.slice(source.length));
    expect(ours).toContain('workflows/index.ts');
    expect(ours.filter((path) => !/^(workflows|rotation|jwks)\/|^errors\.ts$/.test(path))).toEqual([]);
    expect(listPackages(sources)).toEqual(listPackages(bare.sources));
  });

  it.each([
    {
      title: 'imports node:fs',
      named: 'fs',
      files: {
        'direct/index.ts': `import { readFileSync } from 'node:fs'; export const w = async () => readFileSync('/dev/null');`,
      },
    },
    {
      title: 'reaches node:crypto through a file that looks pure',
      named: 'crypto',
      files: {
        'indirect/index.ts': `import { id } from './looks-pure.ts'; export const w = async () => id();`,
        'indirect/looks-pure.ts': `import { randomUUID } from 'node:crypto'; export const id = () => randomUUID();`,
      },
    },
  ])('is refused for an entry that $title', async ({ files, named }) => {
    const { bundled, log } = await bundleTree(files);
    expect(bundled).toBe(false);
    expect(log).toContain(named);
  });
});
