// Whole rotations that the platform orders, from keyturn.yaml to the audit record.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startRotation } from '../../../src/cli/rotate.ts';
import type { AuditRecord } from '../../../src/rotation/audit.ts';
import { gardenletStandIn } from '../../fixtures/gardenlet-stand-in.ts';
import { statusText } from '../../fixtures/gkectl-stand-in.ts';
import { ManagedScene } from './managed-scene.ts';

let scene: ManagedScene;
beforeAll(async () => {
  scene = await ManagedScene.open(() => ({
    shoots: { shoot: { publisher: { type: 'file', directory: 'www' } } },
    gkectl: { gdc: { publisher: { type: 'platform' } } },
  }));
});
afterAll(() => scene?.close(), 60_000);

async function kidsAt(read: () => Promise<string>): Promise<string[]> {
  return (JSON.parse(await read()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
}
const publicJwks = () => readFile(path.join(scene.directory, 'www/openid/v1/jwks'), 'utf8');

test('a Shoot: the new key is published as soon as it is seen, and the former one is forgotten after the drain', async () => {
  const gardenlet = gardenletStandIn(scene.garden, 'shoot', {
    switchKey: () => scene.restart(2, [1, 2]),
    dropFormerKey: () => scene.restart(2, [2]),
  });
  const running = gardenlet.run();
  const plan = await scene.keyturn('plan', 'shoot');
  expect(plan).toContain('The new key signs before it is public');
  expect(plan).toContain('There is no way back once the platform has begun');

  const [former] = await kidsAt(() => scene.clusterJwks());
  const handle = await startRotation(scene.client, 'keyturn', {
    cluster: 'shoot',
    reason: 'test',
    requestedBy: 'test',
  });
  const audit: AuditRecord = await handle.result();
  await running.stop();

  expect(audit).toMatchObject({ outcome: 'completed', holds: [] });
  const next = audit.keys.find(({ role }) => role === 'active')?.kid;
  expect(next).not.toBe(former);
  expect(await kidsAt(() => scene.clusterJwks())).toEqual([next]);
  expect(await kidsAt(publicJwks)).toEqual([next]);
  expect(gardenlet.taken).toEqual(['rotate-serviceaccount-key-start', 'rotate-serviceaccount-key-complete']);

  const of = (id: string) => audit.steps.find((step) => step.id === id)!;
  expect(of('follow-rotation').proof).toContain('Gardener has prepared the rotation');
  expect(of('follow-rotation').publicationGapMs).toBeGreaterThanOrEqual(0);
  expect(of('prune-key').proof).toContain('the leading controller manager signs with the new key');
  const ids = audit.steps.map(({ id }) => id);
  expect(ids.indexOf('drain')).toBeLessThan(ids.indexOf('forget-former'));
  expect(ids.indexOf('prune-key')).toBeLessThan(ids.indexOf('forget-former'));
  expect(await scene.keyturn('status', 'shoot', '--format', 'gkectl')).toBe(statusText(2, 'completed'));
  expect(await scene.keyturn('doctor')).toContain('ready to rotate');
}, 300_000);

test('gkectl: the rotation is started once and followed to its end, with tokens through the API server and the public JWKS', async () => {
  const plan = await scene.keyturn('plan', 'gdc');
  expect(plan).toContain('It cannot be paused once the platform has begun');
  expect(plan).toContain('The platform deletes the former key by itself');

  const [former] = await kidsAt(() => scene.clusterJwks());
  const handle = await startRotation(scene.client, 'keyturn', { cluster: 'gdc', reason: 'test', requestedBy: 'test' });
  await vi.waitFor(async () => expect(await scene.gkectl.rotations()).toBe(1), { timeout: 120_000 });
  // What gkectl does: the new key everywhere, then at Google, then its word.
  await scene.restart(1, [1]);
  await writeFile(path.join(scene.directory, 'www/openid/v1/jwks'), await scene.clusterJwks());
  await scene.gkectl.change({ status: statusText(2, 'completed') });

  const audit: AuditRecord = await handle.result();
  expect(audit).toMatchObject({ outcome: 'completed', holds: [] });
  const next = audit.keys.find(({ role }) => role === 'active')?.kid;
  expect(next).not.toBe(former);
  expect(await kidsAt(publicJwks)).toEqual([next]);
  expect(await scene.gkectl.rotations()).toBe(1);
  const follow = audit.steps.find((step) => step.id === 'follow-rotation')!;
  expect(follow.proof).toContain('KSASigningKeyRotationCompleted');
  expect(await scene.keyturn('status', 'gdc', '--format', 'gkectl')).toBe(statusText(2, 'completed'));
}, 300_000);

test('a Shoot that Gardener would not rotate is refused in Preflight, with the words of its API', async () => {
  const body = { spec: { hibernation: { enabled: true } } };
  const shoot = `/apis/core.gardener.cloud/v1beta1/namespaces/${scene.garden.namespace}/shoots/shoot`;
  await scene.garden.asAdmin({ verb: 'patch', path: shoot, body });
  await scene.garden.asAdmin({ verb: 'patch', path: `${shoot}/status`, body: { status: { hibernated: true } } });
  expect(await scene.keyturn('plan', 'shoot')).toContain('is not permitted when shoot is hibernated');
}, 120_000);
