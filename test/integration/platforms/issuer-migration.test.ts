// Whole migrations of a Shoot to another issuer, from keyturn.yaml to the audit record.
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startMigration } from '../../../src/cli/rotate.ts';
import { applyManifest } from '../../../src/demo/control-plane/apply-manifest.ts';
import type { AuditRecord } from '../../../src/rotation/audit.ts';
import { gardenletStandIn } from '../../fixtures/gardenlet-stand-in.ts';
import { ManagedScene, POLICIES } from './managed-scene.ts';

const REFRESHED = { namespace: 'default', secret: 'recreated', policy: 'refresh', inPlace: true };

let scene: ManagedScene;
beforeAll(async () => {
  scene = await ManagedScene.open((issuer) => {
    const moved = { issuer: `${issuer}/moved`, publisher: { type: 'file', directory: 'www/moved' } };
    const legacyTokens = { default: 'hold', overrides: [REFRESHED] };
    return {
      shoots: {
        moving: { ...moved, policies: { ...POLICIES, legacyTokens } },
        returning: { ...moved, policies: { ...POLICIES, drain: { ...POLICIES.drain, duration: '15s' } } },
      },
    };
  });
  await mkdir(path.join(scene.directory, 'www/moved'));
  await applyManifest(await scene.cluster.kubeConfig('admin'), 'deploy/rbac-refresh.yaml');
});
afterAll(() => scene?.close(), 60_000);

test('a Shoot moves to another issuer: accepted before it issues, the former one until the drain is over', async () => {
  const [from, to] = [scene.issuer, `${scene.issuer}/moved`];
  const { issued, running } = await issuersOf('moving');
  const [recreated, untouched] = [await makeTokenSecret('recreated'), await makeTokenSecret('untouched')];
  const before = await mintToken();

  const plan = await scene.keyturn('plan', 'moving', '--migrate-issuer');
  expect(plan).toContain(`Migration of moving from ${from} to ${to}: no key changes`);
  expect(plan).toContain(`Have every API server accept ${to}; ${from} goes on issuing`);
  const handle = await startMigration(scene.client, 'keyturn', {
    cluster: 'moving',
    reason: 'test',
    requestedBy: 'test',
    gates: ['signing'],
  });
  await vi.waitFor(async () => expect(await scene.keyturn('status', 'moving')).toContain('gated in Signing'), {
    timeout: 120_000,
    interval: 1000,
  });
  expect(issued).toEqual([[from], [from, to]]);
  expect(JSON.parse(await scene.keyturn('--json', 'status', 'moving'))).toMatchObject({
    possible: ['pause', 'approve', 'rollBack', 'changeDrain', 'abort'],
  });
  await scene.keyturn('approve', 'moving', '--reason', 'relying parties trust it');
  const audit: AuditRecord = await handle.result();
  await running.stop();

  expect(audit).toMatchObject({ outcome: 'completed', holds: [], issuers: { from, to }, probes: { rejected: 0 } });
  expect(issued).toEqual([[from], [from, to], [to, from], [to]]);
  expect(audit.decisions).toMatchObject([{ decision: 'approve', reason: 'relying parties trust it' }]);
  expect(audit.keys).toMatchObject([{ role: 'active' }]);
  const of = (id: string) => audit.steps.find((step) => step.id === id)?.proof;
  expect(of('verify-issuer')).toMatch(/none refused: .*, 1 of https:.* at the API server$/);
  expect(of('look-for-former-tokens')).toContain('did not reload');
  expect(of('recreate-token-secrets')).toMatch(/^1 token\(s\) in Secrets minted anew; \d+ stay/);
  expect(decodeJwt(await mintToken()).iss).toBe(to);
  expect(await accepts(before)).toBe(false);
  // Minted anew they come out the same: the key is the same, and they name neither a time nor the cluster's issuer.
  expect(await readTokenSecret('recreated')).toEqual({ token: recreated.token, mintedBy: audit.rotationId });
  expect(await readTokenSecret('untouched')).toEqual(untouched);
  for (const { token } of [recreated, untouched]) expect(await accepts(token)).toBe(true);
  expect(await scene.keyturn('plan', 'moving', '--migrate-issuer')).toContain('already: there is nothing to migrate');
}, 300_000);

test('a Shoot on its way to another issuer is rolled back: the former one issues again, the new one is accepted until its tokens are drained', async () => {
  const [from, to] = [scene.issuer, `${scene.issuer}/moved`];
  const { issued, running } = await issuersOf('returning');
  const handle = await startMigration(scene.client, 'keyturn', {
    cluster: 'returning',
    reason: 'test',
    requestedBy: 'test',
  });
  await vi.waitFor(async () => expect(await scene.keyturn('status', 'returning')).toContain('waiting in Draining'), {
    timeout: 120_000,
    interval: 1000,
  });
  const ofNew = await mintToken();
  expect(decodeJwt(ofNew).iss).toBe(to);
  await scene.keyturn('roll-back', 'returning', '--reason', 'a relying party was forgotten');
  await vi.waitFor(() => expect(issued.at(-1)).toEqual([from, to]), { timeout: 120_000 });
  expect(await accepts(ofNew)).toBe(true);
  const audit: AuditRecord = await handle.result();
  await running.stop();

  expect(audit).toMatchObject({ outcome: 'rolled-back', issuers: { from, to }, probes: { rejected: 0 } });
  expect(issued).toEqual([[from], [from, to], [to, from], [from, to], [from]]);
  const undone = audit.steps.map(({ id }) => id).filter((id) => id.startsWith('undo/'));
  expect(undone).toEqual(['undo/switch-issuer', 'undo/accept-issuer']);
  expect(audit.waits.at(-1)?.reason).toContain('of the new issuer can matter');
  expect(decodeJwt(await mintToken()).iss).toBe(from);
  expect(await accepts(ofNew)).toBe(false);
  // Nothing is noted of it: another one starts from the beginning.
  expect(await scene.keyturn('plan', 'returning', '--migrate-issuer')).toContain(`from ${from} to ${to}`);
}, 300_000);

/** What a Shoot's gardenlet makes of its issuers: the API server issues as the first, and accepts all of them. */
async function issuersOf(shoot: string) {
  const issued: string[][] = [];
  const gardenlet = gardenletStandIn(scene.garden, shoot, {
    switchKey: () => Promise.reject(new Error('no key changes')),
    dropFormerKey: () => Promise.reject(new Error('no key changes')),
    setIssuers: async (issuers) => {
      const named = issuers.map((each) => each ?? scene.issuer);
      // A note on the Shoot changes nothing.
      if (named.join() === issued.at(-1)?.join()) return;
      await scene.restart(1, [1], named);
      issued.push(named);
    },
  });
  const running = gardenlet.run();
  await vi.waitFor(() => expect(issued).toEqual([[scene.issuer]]), { timeout: 60_000 });
  return { issued, running };
}

async function mintToken(): Promise<string> {
  const tokens = '/api/v1/namespaces/default/serviceaccounts/default/token';
  const { body } = await scene.cluster.asAdmin('POST', tokens, { spec: { expirationSeconds: 3600 } });
  return (body as { status: { token: string } }).status.token;
}

async function accepts(token: string): Promise<boolean> {
  const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } };
  const { body } = await scene.cluster.asAdmin('POST', '/apis/authentication.k8s.io/v1/tokenreviews', review);
  return (body as { status: { authenticated?: boolean } }).status.authenticated === true;
}

async function makeTokenSecret(name: string): Promise<TokenSecret> {
  const annotations = { 'kubernetes.io/service-account.name': 'default' };
  const type = 'kubernetes.io/service-account-token';
  await scene.cluster.asAdmin('POST', '/api/v1/namespaces/default/secrets', { metadata: { name, annotations }, type });
  return vi.waitFor(() => readTokenSecret(name), { timeout: 30_000 });
}

interface TokenSecret {
  readonly token: string;
  /** Rotation or migration that had it minted anew. */
  readonly mintedBy: string | undefined;
}

async function readTokenSecret(name: string): Promise<TokenSecret> {
  const { body } = await scene.cluster.asAdmin('GET', `/api/v1/namespaces/default/secrets/${name}`);
  const { data, metadata } = body as { data?: { token?: string }; metadata: { annotations: Record<string, string> } };
  if (data?.token === undefined) throw new Error(`no token in ${name} yet`);
  const token = Buffer.from(data.token, 'base64').toString();
  return { token, mintedBy: metadata.annotations['keyturn.dev/refreshed-by-rotation'] };
}
