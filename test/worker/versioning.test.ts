// The build ID: the same wherever the same workflow code is installed, another where it differs.
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defaultBuildId, deploymentOf } from '../../src/worker/versioning.ts';

const source = path.join(import.meta.dirname, '../../src');
let copy: string;
beforeEach(async () => {
  copy = await mkdtemp(path.join(tmpdir(), 'keyturn-build-'));
  for (const folder of ['workflows', 'rotation', 'jwks'])
    await cp(path.join(source, folder), path.join(copy, folder), { recursive: true });
});
afterEach(() => rm(copy, { recursive: true, force: true }));

describe('the build ID', () => {
  it('has the version, and a hash of the workflow code that does not depend on where it lies', async () => {
    const id = await defaultBuildId();
    expect(id).toMatch(/^\d+\.\d+\.\d+\S*-[0-9a-f]{12}$/);
    expect(await defaultBuildId(copy)).toBe(id);
  });

  it('changes with any file of the workflow code, and with nothing else', async () => {
    const id = await defaultBuildId(copy);
    await writeFile(path.join(copy, 'rotation', 'notes.md'), 'not code');
    await writeFile(path.join(copy, 'rotation', 'plan.d.ts'), 'not code');
    expect(await defaultBuildId(copy)).toBe(id);
    await writeFile(path.join(copy, 'rotation', 'new-rule.ts'), '// code');
    expect(await defaultBuildId(copy)).not.toBe(id);
  });

  it('is the configured one, where one is configured', async () => {
    const versioning = { deploymentName: 'keyturn-eu', buildId: 'image-1234' };
    expect(await deploymentOf({ versioning })).toEqual({
      useWorkerVersioning: true,
      version: { deploymentName: 'keyturn-eu', buildId: 'image-1234' },
      defaultVersioningBehavior: 'AUTO_UPGRADE',
    });
  });
});
