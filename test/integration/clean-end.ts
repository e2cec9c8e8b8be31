// What every completed rotation must have left behind: the new pair at the former's paths, and nothing else that was not there before.
import { createHash, createPublicKey } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'vitest';
import type { AuditRecord } from '../../src/rotation/audit.ts';
import { readPublicJwks, snapshotNodes, type Scene } from './rotation-scene.ts';

/** @param before `snapshotNodes` of before the rotation */
export async function expectCleanEnd(
  scene: Scene,
  audit: AuditRecord,
  before: Awaited<ReturnType<typeof snapshotNodes>>,
): Promise<void> {
  const after = await snapshotNodes(scene);
  expect([...after.keys()].toSorted()).toEqual([...before.keys()].toSorted());
  const [former, next] = audit.keys;
  expect(audit).toMatchObject({ outcome: 'completed', keys: [{ role: 'retired' }, { role: 'active' }] });
  for (const [file, { content, mode }] of after) {
    const was = before.get(file);
    expect(mode, file).toBe(was?.mode);
    if (file.endsWith('sa.key') || file.endsWith('sa.pub')) {
      expect(content, file).not.toBe(was?.content);
      expect(kidOfPem(content), file).toBe(next?.kid);
    } else {
      expect(content, file).toBe(was?.content);
    }
  }
  const { kids } = await readPublicJwks(scene);
  expect(kids).toContain(next?.kid);
  expect(kids).not.toContain(former?.kid);
  expect(audit.probes?.rejections).toEqual([]);
  expect(audit.probes?.rejected).toBe(0);
  expect(audit.probes?.checks).toBeGreaterThan(100);
  expect(await readdir(path.join(scene.directory, 'keys'))).toEqual([]);
}

/** Kubernetes' kid by its definition, not by the product's code. */
function kidOfPem(pem: string): string {
  const der = createPublicKey(pem).export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('base64url');
}
