// Whole rotations where the JWKS is published elsewhere than in Azure, to keys that the user brings, from and to EC keys.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { KubeClient } from '../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../src/api-servers/kube-config.ts';
import { renderAzwiJwks } from '../../src/cli/jwks.ts';
import { applyManifest } from '../../src/demo/control-plane/apply-manifest.ts';
import { startWorkloads, type WorkloadOptions } from '../../src/demo/workloads.ts';
import { generateKeyPair } from '../../src/keys/generate.ts';
import { toJwk } from '../../src/keys/jwk.ts';
import { parsePublicKeys } from '../../src/keys/pem.ts';
import type { KeyType } from '../../src/key-stores/port.ts';
import type { AuditRecord } from '../../src/rotation/audit.ts';
import { startMirroredIssuer } from './publishers/mirrored-issuer.ts';
import { openScene, rotate, type Scene } from './rotation-scene.ts';

const ofEnd: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ofEnd.splice(0).toReversed()) await end();
});

test('mirrors in S3, Google Cloud Storage and a folder: from ec-p256 to a brought rsa-4096, in all of them', async () => {
  const mirrored = await startMirroredIssuer();
  ofEnd.push(() => mirrored.close());
  const brought = await bringKey('rsa-4096');
  const { issuer, clusterFields } = mirrored;
  const scene = await openScene({
    // It is about where the JWKS lies, not about nodes.
    nodes: 1,
    policies: { allowSingleApiServer: true },
    issuer,
    signingKey: 'ec-p256',
    clusterFields: { relyingParties: [], ...clusterFields, keyStore: brought.keyStore },
  });
  ofEnd.push(() => scene.close());
  await expectOwnJwksLikeTheApiServers(scene);
  const foreign = await mirrored.publish(await jwksOf(scene));

  mirrored.webServer.contentType = 'text/plain';
  const warnings = await doctorWarnings(scene, mirrored.environment);
  expect(warnings).toContainEqual(expect.stringContaining(`${mirrored.webServerJwksUrl} is served as text/plain`));
  mirrored.webServer.contentType = 'application/json';

  const audit = await rotateUnderLoad(scene, mirrored.environment, { url: mirrored.webServerJwksUrl });

  expect(audit.keys[1]).toMatchObject({ kid: brought.kid, alg: 'RS256', role: 'active' });
  expect(await mirrored.readAll()).toEqual(foreign.map((kid) => [kid, brought.kid]));
  const published = audit.steps.find(({ id }) => id === 'publish-key');
  expect(published?.proof).toMatch(/oidc\/keys\.json, .*oidc\/keys\.json, .*openid\/v1\/jwks shows/);
});

test('an issuer that the API servers serve: from rsa-2048 to a brought ec-p384, public by being trusted', async () => {
  const brought = await bringKey('ec-p384');
  const scene = await openScene({
    nodes: 2,
    issuer: 'load-balancer',
    clusterFields: {
      relyingParties: [],
      issuerCaFile: 'control-plane/ca.crt',
      publisher: { type: 'api-server', allowShorterCache: 'the relying party of this test caches for 2 s' },
      keyStore: brought.keyStore,
    },
  });
  ofEnd.push(() => scene.close());
  const { adminKubeconfigPath, caPath, issuer } = scene.controlPlane;
  await applyManifest(adminKubeconfigPath, 'deploy/rbac-public-issuer.yaml');
  await expectOwnJwksLikeTheApiServers(scene);

  const ca = await readFile(caPath, 'utf8');
  const audit = await rotateUnderLoad(scene, {}, { url: `${issuer}/openid/v1/jwks`, ca });

  expect(audit.keys[1]).toMatchObject({ kid: brought.kid, alg: 'ES384', role: 'active' });
  expect(await kidsServedBy(scene)).toEqual([brought.kid]);
  expect(audit.steps.map(({ id }) => id).filter((id) => /^(trust|publish|sign)/.test(id))).toEqual([
    'trust/node-1',
    'trust/node-2',
    'publish-key',
    'sign/node-1',
    'sign/node-2',
  ]);
  const [caches] = audit.waits;
  expect(caches).toMatchObject({
    reason: 'Wait 2s until every relying party has the new key',
    override: 'the relying party of this test caches for 2 s',
  });
  const [published, signing] = ['publish-key', 'sign/node-1'].map((id) => audit.steps.find((step) => step.id === id));
  expect(Date.parse(caches?.until ?? '') - Date.parse(published?.endedAt ?? '')).toBeGreaterThanOrEqual(1900);
  expect(Date.parse(signing?.startedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(caches?.until ?? ''));
  expect(audit.phases.map(({ phase }) => phase)).not.toContain('Publishing');
});

async function doctorWarnings(scene: Scene, more: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const env = { ...process.env, ...scene.processEnvironment, ...more };
  const doctor = promisify(execFile)(process.execPath, ['src/cli/main.ts', '--json', 'doctor'], { env });
  // It fails: no worker serves yet.
  const { stdout } = await doctor.catch((error: unknown) => error as { readonly stdout: string });
  const findings = JSON.parse(stdout) as readonly { readonly level: string; readonly found: string }[];
  return findings.filter(({ level }) => level === 'warn').map(({ found }) => found);
}

/** With clients of the cluster and a relying party outside, which no rejection may reach. */
async function rotateUnderLoad(
  scene: Scene,
  environment: Readonly<Record<string, string>>,
  publicJwks: WorkloadOptions['publicJwks'],
): Promise<AuditRecord> {
  await scene.startWorker('default', environment);
  const workloads = await startWorkloads(scene, {
    cacheMs: 2000,
    intervalMs: 250,
    reloadAfterMs: 2000,
    ...(publicJwks === undefined ? {} : { publicJwks }),
  });
  const audit = await (await rotate(scene)).result();
  const seen = await workloads.stop();
  expect(audit.outcome).toBe('completed');
  expect(audit.probes?.rejections).toEqual([]);
  expect(seen.rejections).toEqual([]);
  expect(seen.byParty['relying party']?.checks).toBeGreaterThan(50);
  const kids = audit.keys.map(({ kid }) => kid);
  expect(Object.keys(seen.acceptedByKid).toSorted()).toEqual(kids.toSorted());
  return audit;
}

async function bringKey(type: KeyType) {
  const directory = await mkdtemp(path.join(tmpdir(), 'keyturn-keys-'));
  ofEnd.push(() => rm(directory, { recursive: true, force: true }));
  const { kid, privatePem, publicPem } = await generateKeyPair(type);
  const privateKeyFile = path.join(directory, 'new.key');
  const publicKeyFile = path.join(directory, 'new.pub');
  await writeFile(privateKeyFile, privatePem, { mode: 0o600 });
  await writeFile(publicKeyFile, publicPem);
  return { kid, keyStore: { type: 'bring-your-own', privateKeyFile, publicKeyFile } };
}

async function jwksOf({ controlPlane }: Scene): Promise<string> {
  const file = path.join(controlPlane.nodes[0]!.pkiDirectory, 'sa.pub');
  return renderAzwiJwks([{ path: file, content: await readFile(file, 'utf8') }]);
}

/** kid and JWK of ours against those of kube-apiserver itself, byte for byte. */
async function expectOwnJwksLikeTheApiServers(scene: Scene): Promise<void> {
  const { pkiDirectory } = scene.controlPlane.nodes[0]!;
  const ours = parsePublicKeys(await readFile(path.join(pkiDirectory, 'sa.pub'), 'utf8'), 'sa.pub').map(toJwk);
  expect(await readServedJwks(scene)).toBe(JSON.stringify({ keys: ours }));
}

async function kidsServedBy(scene: Scene): Promise<readonly string[]> {
  const { keys } = JSON.parse(await readServedJwks(scene)) as { readonly keys: readonly { kid: string }[] };
  return keys.map(({ kid }) => kid);
}

async function readServedJwks({ controlPlane }: Scene): Promise<string> {
  return new KubeClient(await loadKubeConfig(controlPlane.adminKubeconfigPath)).read('/openid/v1/jwks');
}
