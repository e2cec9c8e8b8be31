// The totals line that CI reads, proven by runs of Vitest in processes of their own.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const projectRoot = join(import.meta.dirname, '..');

let scratch: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'keyturn-reporter-'));
  await symlink(join(projectRoot, 'node_modules'), join(scratch, 'node_modules'), 'dir');
  await writeFile(join(scratch, 'vitest.config.js'), 'export default {};');
});

afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

/** Runs one test file in a process of its own. */
async function runVitest(name: string, body: string): Promise<{ lastLine: string; exitCode: number }> {
  await writeFile(join(scratch, name), `import { describe, expect, it } from 'vitest';\n${body}`);
  const vitest = join(projectRoot, 'node_modules', 'vitest', 'vitest.mjs');
  const reporters = ['--reporter=default', `--reporter=${join(import.meta.dirname, 'reporter.ts')}`];
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [vitest, 'run', name, ...reporters],
      { cwd: scratch, env: { ...process.env, NO_COLOR: '1', VITEST: undefined } },
      (error, stdout) => {
        resolve({ lastLine: stdout.trimEnd().split('\n').at(-1)!, exitCode: Number(error?.code ?? 0) });
      },
    );
  });
}

describe('the last line of a test run', () => {
  it.each([
    {
      title: 'counts what passed and leaves out what there was none of',
      body: `it('a', () => {}); it('b', () => {});`,
      lastLine: '2 passed, 0 failed',
      exitCode: 0,
    },
    {
      title: 'counts failures and skipped tests, and the run fails',
      body: `it('a', () => {}); it('b', () => { expect(1).toBe(2); }); it.skip('c', () => {}); it.todo('d');`,
      lastLine: '1 passed, 1 failed, 2 skipped',
      exitCode: 1,
    },
    {
      title: 'counts a file that cannot be loaded as one failure',
      body: `throw new Error('broken');`,
      lastLine: '0 passed, 1 failed',
      exitCode: 1,
    },
    {
      title: 'counts an error outside of every test as one failure',
      body: `it('a', async () => { setTimeout(() => { throw new Error('late'); }, 0); await new Promise((r) => setTimeout(r, 50)); });`,
      lastLine: '1 passed, 1 failed',
      exitCode: 1,
    },
  ])('$title', async ({ title, body, lastLine, exitCode }) => {
    const name = `${title.replaceAll(' ', '-')}.test.js`;
    expect(await runVitest(name, body)).toEqual({ lastLine, exitCode });
  });
});
