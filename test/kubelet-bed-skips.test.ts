// What happens to tests on real nodes where the machine cannot run any, proven by runs of Vitest in processes of their own.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whyNoKubeletBed } from '../src/demo/kubelet/bed-requirements.ts';

const projectRoot = join(import.meta.dirname, '..');
const fixture = join(import.meta.dirname, 'fixtures', 'kubelet-bed.ts');
/** A machine without a single package that a bed needs. */
const emptyPath = '/nonexistent';

let scratch: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'keyturn-skips-'));
  await symlink(join(projectRoot, 'node_modules'), join(scratch, 'node_modules'), 'dir');
  await writeFile(join(scratch, 'vitest.config.js'), 'export default {};');
  const body = `
    import { expect, it, beforeAll } from 'vitest';
    import { describeOnKubelet, openBed } from '${fixture}';
    describeOnKubelet('a scene', () => { beforeAll(async () => { await openBed(); }); it('plays', () => expect(1).toBe(1)); });`;
  await writeFile(join(scratch, 'scene.test.ts'), body);
});
afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

async function runScene(
  environment: Readonly<Record<string, string>>,
): Promise<{ stdout: string; stderr: string; exitCode: number }> {
  const vitest = join(projectRoot, 'node_modules', 'vitest', 'vitest.mjs');
  const reporters = ['--reporter=default', `--reporter=${join(import.meta.dirname, 'reporter.ts')}`];
  return new Promise((resolve) => {
    const env = { HOME: scratch, PATH: emptyPath, NO_COLOR: '1', ...environment };
    execFile(process.execPath, [vitest, 'run', ...reporters], { cwd: scratch, env }, (error, stdout, stderr) => {
      resolve({ stdout, stderr, exitCode: error === null ? 0 : 1 });
    });
  });
}

describe('where no kubelet bed can run', () => {
  it('says which packages are missing, or what else', async () => {
    const reason = await whyNoKubeletBed(emptyPath);
    if (process.platform !== 'linux') expect(reason).toContain('needs Linux');
    else if (process.getuid!() !== 0) expect(reason).toContain('needs root');
    else expect(reason).toContain('install busybox-static containerd iproute2 iptables');
  });

  it('skips tests that need one, with the reason beside the totals', async () => {
    const { stdout, exitCode } = await runScene({});
    expect(stdout.trim().split('\n').slice(-2)).toEqual([
      `a scene (skipped: ${await whyNoKubeletBed(emptyPath)})`,
      '0 passed, 0 failed, 1 skipped',
    ]);
    expect(exitCode).toBe(0);
  });

  it('fails in continuous integration, with the reason', async () => {
    const { stdout, stderr, exitCode } = await runScene({ CI: 'true' });
    expect(stderr).toContain(await whyNoKubeletBed(emptyPath));
    expect(stdout.trim().split('\n').at(-1)).toMatch(/ [1-9]\d* failed/);
    expect(exitCode).toBe(1);
  });
});
