// Whole rotations that the platform orders, from keyturn.yaml to the audit record: a Shoot on a real gardener-apiserver, and gkectl's stand-in. Both
// end at the same real API server, which a stand-in gardenlet and the test restart with other keys; Temporal and the worker are real.
import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:https';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { startMigration, startRotation } from '../../../src/cli/rotate.ts';
import { createCertificateAuthority } from '../../../src/demo/certificate-authority.ts';
import { catalog } from '../../../src/demo/components/catalog.ts';
import { getComponent } from '../../../src/demo/components/get-component.ts';
import { applyManifest, applyYaml } from '../../../src/demo/control-plane/apply-manifest.ts';
import { startGuardedProcess } from '../../../src/demo/guarded-process.ts';
import { startTemporalServer } from '../../../src/demo/temporal-server.ts';
import type { AuditRecord } from '../../../src/rotation/audit.ts';
import { startGarden, type Garden } from '../../fixtures/garden.ts';
import { gardenletStandIn } from '../../fixtures/gardenlet-stand-in.ts';
import { installGkectl, statusText, type GkectlStandIn } from '../../fixtures/gkectl-stand-in.ts';
import { startSingleApiServer, type SingleApiServer } from '../../fixtures/single-api-server.ts';

const main = path.resolve('src/cli/main.ts');
const REFRESHED = { namespace: 'default', secret: 'recreated', policy: 'refresh', inPlace: true };
const CLEAN_UP: (() => Promise<unknown>)[] = [];

let directory: string;
let garden: Garden;
let cluster: SingleApiServer;
let gkectl: GkectlStandIn;
let client: Client;
let environment: Readonly<Record<string, string>>;
let issuer: string;
let manager: { signal(signal: NodeJS.Signals): Promise<void> } | undefined;

/** The cluster's API server and controller manager, started anew with these keys. */
async function restart(signer: 1 | 2, trusts: readonly (1 | 2)[], issuers = [issuer]): Promise<void> {
  await manager?.signal('SIGKILL');
  await cluster.signal('SIGKILL');
  await cluster.start(signer, { trusts, issuers });
  manager = await cluster.startControllerManager({ signer });
}

async function kidsAt(read: () => Promise<string>): Promise<string[]> {
  return (JSON.parse(await read()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
}
const clusterJwks = async () => JSON.stringify((await cluster.asAdmin('GET', '/openid/v1/jwks')).body);
const publicJwks = () => readFile(path.join(directory, 'www/openid/v1/jwks'), 'utf8');

/** The issuer's documents, from a folder; API servers want their issuer to be https. */
async function serveFolder(): Promise<Server> {
  const authority = await createCertificateAuthority('issuer');
  await writeFile(path.join(directory, 'issuer-ca.crt'), authority.certificatePem);
  const { certificatePem, privateKeyPem } = await authority.issue({
    commonName: 'documents',
    serverNames: ['127.0.0.1'],
  });
  const server = createServer({ cert: certificatePem, key: privateKeyPem }, (request, response) => {
    readFile(path.join(directory, 'www', path.normalize(request.url ?? '/'))).then(
      (content) => response.writeHead(200, { 'content-type': 'application/json' }).end(content),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return server;
}

async function writeConfig(): Promise<string> {
  const access = { kubeconfig: await cluster.kubeConfig('keyturn') };
  const policies = {
    relyingPartyCache: '2s',
    drain: { policy: 'fixed', duration: '3s', allowShorter: 'test' },
    allowSingleApiServer: true,
    probeInterval: '250ms',
    probeReload: '2s',
  };
  const common = { issuer, issuerCaFile: 'issuer-ca.crt', policies };
  const shoot = async (name: string) => ({
    type: 'gardener',
    ...access,
    garden: { kubeconfig: await garden.kubeConfig('keyturn'), namespace: garden.namespace, shoot: name },
    pollInterval: '200ms',
  });
  const clusters = [
    {
      name: 'shoot',
      platform: await shoot('prod'),
      publisher: { type: 'file', directory: 'www' },
      ...common,
    },
    {
      name: 'gdc',
      platform: {
        type: 'gkectl',
        ...access,
        command: gkectl.command,
        userClusterConfig: 'user-cluster.yaml',
        adminKubeconfig: 'admin.kubeconfig',
        apiServers: [{ name: 'cp-1', url: cluster.url }],
        pollInterval: '500ms',
      },
      publisher: { type: 'platform' },
      ...common,
    },
    {
      name: 'moving',
      platform: await shoot('moving'),
      publisher: { type: 'file', directory: 'www/moved' },
      ...common,
      issuer: `${issuer}/moved`,
      policies: { ...policies, legacyTokens: { default: 'hold', overrides: [REFRESHED] } },
    },
    {
      name: 'returning',
      platform: await shoot('returning'),
      publisher: { type: 'file', directory: 'www/moved' },
      ...common,
      issuer: `${issuer}/moved`,
      policies: { ...policies, drain: { ...policies.drain, duration: '15s' } },
    },
  ];
  const file = path.join(directory, 'keyturn.yaml');
  await writeFile(file, stringify({ auditDirectory: 'audit', clusters }));
  await writeFile(path.join(directory, 'user-cluster.yaml'), 'kind: UserCluster\ngkeOnPremVersion: 1.32.100-gke.1\n');
  return file;
}

async function keyturn(...words: string[]): Promise<string> {
  const env = { ...process.env, ...environment };
  try {
    return (await promisify(execFile)(process.execPath, [main, ...words], { env })).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    return stdout + stderr;
  }
}

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'keyturn-managed-'));
  CLEAN_UP.push(() => rm(directory, { recursive: true, force: true }));
  const documents = await serveFolder();
  CLEAN_UP.push(() => new Promise((resolve) => documents.close(resolve)));
  issuer = `https://127.0.0.1:${(documents.address() as AddressInfo).port}`;
  [garden, cluster] = await Promise.all([startGarden(), startSingleApiServer()]);
  CLEAN_UP.push(
    () => garden.stop(),
    () => cluster.stop(),
  );
  await restart(1, [1]);
  await mkdir(path.join(directory, 'www/openid/v1'), { recursive: true });
  await writeFile(path.join(directory, 'www/openid/v1/jwks'), await clusterJwks());

  await applyManifest(await cluster.kubeConfig('admin'), 'deploy/rbac.yaml');
  await garden.createShoot('prod');
  for (const shoot of ['moving', 'returning']) await garden.createShoot(shoot, { serviceAccountConfig: { issuer } });
  await mkdir(path.join(directory, 'www/moved'));
  const rights = (await readFile('deploy/rbac-gardener.yaml', 'utf8')).replaceAll('garden-PROJECT', garden.namespace);
  for (const shoot of ['prod', 'moving', 'returning'])
    await applyYaml(await garden.kube.kubeConfig('admin'), rights.replaceAll('SHOOT', shoot));
  gkectl = await installGkectl(directory);

  const temporal = await startTemporalServer({
    program: await getComponent(catalog.temporal),
    directory: path.join(directory, 'temporal'),
  });
  CLEAN_UP.push(() => temporal.stop());
  const connection = await Connection.connect({ address: temporal.address });
  CLEAN_UP.push(() => connection.close());
  client = new Client({ connection });
  environment = {
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: 'default',
    TEMPORAL_CONFIG_FILE: path.join(directory, 'temporal.toml'),
    KEYTURN_CONFIG: await writeConfig(),
  };
  const logFile = path.join(directory, 'worker.log');
  const worker = await startGuardedProcess(process.execPath, [main, 'worker'], { logFile, environment });
  CLEAN_UP.push(() => worker.stop(15_000));
});

afterAll(async () => {
  for (const end of CLEAN_UP.toReversed()) await end();
}, 60_000);

test('a Shoot: the new key is published as soon as it is seen, and the former one is forgotten after the drain', async () => {
  const gardenlet = gardenletStandIn(garden, 'prod', {
    switchKey: () => restart(2, [1, 2]),
    dropFormerKey: () => restart(2, [2]),
  });
  const running = gardenlet.run();
  const plan = await keyturn('plan', 'shoot');
  expect(plan).toContain('The new key signs before it is public');
  expect(plan).toContain('There is no way back once the platform has begun');

  const [former] = await kidsAt(clusterJwks);
  const handle = await startRotation(client, 'keyturn', { cluster: 'shoot', reason: 'test', requestedBy: 'test' });
  const audit: AuditRecord = await handle.result();
  await running.stop();

  expect(audit).toMatchObject({ outcome: 'completed', holds: [] });
  const next = audit.keys.find(({ role }) => role === 'active')?.kid;
  expect(next).not.toBe(former);
  expect(await kidsAt(clusterJwks)).toEqual([next]);
  expect(await kidsAt(publicJwks)).toEqual([next]);
  expect(gardenlet.taken).toEqual(['rotate-serviceaccount-key-start', 'rotate-serviceaccount-key-complete']);

  const of = (id: string) => audit.steps.find((step) => step.id === id)!;
  expect(of('follow-rotation').proof).toContain('Gardener has prepared the rotation');
  expect(of('follow-rotation').publicationGapMs).toBeGreaterThanOrEqual(0);
  expect(of('prune-key').proof).toContain('the leading controller manager signs with the new key');
  const ids = audit.steps.map(({ id }) => id);
  expect(ids.indexOf('drain')).toBeLessThan(ids.indexOf('forget-former'));
  expect(ids.indexOf('prune-key')).toBeLessThan(ids.indexOf('forget-former'));
  expect(await keyturn('status', 'shoot', '--format', 'gkectl')).toBe(statusText(2, 'completed'));
  expect(await keyturn('doctor')).toContain('ready to rotate');
}, 300_000);

test('gkectl: the rotation is started once and followed to its end, with tokens through the API server and the public JWKS', async () => {
  const plan = await keyturn('plan', 'gdc');
  expect(plan).toContain('It cannot be paused once the platform has begun');
  expect(plan).toContain('The platform deletes the former key by itself');

  const [former] = await kidsAt(clusterJwks);
  const handle = await startRotation(client, 'keyturn', { cluster: 'gdc', reason: 'test', requestedBy: 'test' });
  await vi.waitFor(async () => expect(await gkectl.rotations()).toBe(1), { timeout: 120_000 });
  // What gkectl does: the new key everywhere, then at Google, then its word.
  await restart(1, [1]);
  await writeFile(path.join(directory, 'www/openid/v1/jwks'), await clusterJwks());
  await gkectl.change({ status: statusText(2, 'completed') });

  const audit: AuditRecord = await handle.result();
  expect(audit).toMatchObject({ outcome: 'completed', holds: [] });
  const next = audit.keys.find(({ role }) => role === 'active')?.kid;
  expect(next).not.toBe(former);
  expect(await kidsAt(publicJwks)).toEqual([next]);
  expect(await gkectl.rotations()).toBe(1);
  const follow = audit.steps.find((step) => step.id === 'follow-rotation')!;
  expect(follow.proof).toContain('KSASigningKeyRotationCompleted');
  expect(await keyturn('status', 'gdc', '--format', 'gkectl')).toBe(statusText(2, 'completed'));
}, 300_000);

test('a Shoot that Gardener would not rotate is refused in Preflight, with the words of its API', async () => {
  const body = { spec: { hibernation: { enabled: true } } };
  const shoot = `/apis/core.gardener.cloud/v1beta1/namespaces/${garden.namespace}/shoots/prod`;
  await garden.asAdmin({ verb: 'patch', path: shoot, body });
  await garden.asAdmin({ verb: 'patch', path: `${shoot}/status`, body: { status: { hibernated: true } } });
  expect(await keyturn('plan', 'shoot')).toContain('is not permitted when shoot is hibernated');
}, 120_000);

test('a Shoot moves to another issuer: accepted before it issues, the former one until the drain is over', async () => {
  const [from, to] = [issuer, `${issuer}/moved`];
  await applyManifest(await cluster.kubeConfig('admin'), 'deploy/rbac-refresh.yaml');
  const { issued, running } = await issuersOf('moving');
  const [recreated, untouched] = [await makeTokenSecret('recreated'), await makeTokenSecret('untouched')];
  const before = await mintToken();

  const plan = await keyturn('plan', 'moving', '--migrate-issuer');
  expect(plan).toContain(`Migration of moving from ${from} to ${to}: no key changes`);
  expect(plan).toContain(`Have every API server accept ${to}; ${from} goes on issuing`);
  const handle = await startMigration(client, 'keyturn', {
    cluster: 'moving',
    reason: 'test',
    requestedBy: 'test',
    gates: ['signing'],
  });
  await vi.waitFor(async () => expect(await keyturn('status', 'moving')).toContain('gated in Signing'), {
    timeout: 120_000,
    interval: 1000,
  });
  expect(issued).toEqual([[from], [from, to]]);
  expect(JSON.parse(await keyturn('--json', 'status', 'moving'))).toMatchObject({
    possible: ['pause', 'approve', 'rollBack', 'changeDrain', 'abort'],
  });
  await keyturn('approve', 'moving', '--reason', 'relying parties trust it');
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
  expect(await keyturn('plan', 'moving', '--migrate-issuer')).toContain('already: there is nothing to migrate');
}, 300_000);

test('a Shoot on its way to another issuer is rolled back: the former one issues again, the new one is accepted until its tokens are drained', async () => {
  const [from, to] = [issuer, `${issuer}/moved`];
  const { issued, running } = await issuersOf('returning');
  const handle = await startMigration(client, 'keyturn', { cluster: 'returning', reason: 'test', requestedBy: 'test' });
  await vi.waitFor(async () => expect(await keyturn('status', 'returning')).toContain('waiting in Draining'), {
    timeout: 120_000,
    interval: 1000,
  });
  const ofNew = await mintToken();
  expect(decodeJwt(ofNew).iss).toBe(to);
  await keyturn('roll-back', 'returning', '--reason', 'a relying party was forgotten');
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
  expect(await keyturn('plan', 'returning', '--migrate-issuer')).toContain(`from ${from} to ${to}`);
}, 300_000);

/** What a Shoot's gardenlet makes of its issuers: the API server issues as the first, and accepts all of them. */
async function issuersOf(shoot: string) {
  const issued: string[][] = [];
  const gardenlet = gardenletStandIn(garden, shoot, {
    switchKey: () => Promise.reject(new Error('no key changes')),
    dropFormerKey: () => Promise.reject(new Error('no key changes')),
    setIssuers: async (issuers) => {
      const named = issuers.map((each) => each ?? issuer);
      // A note on the Shoot changes nothing.
      if (named.join() === issued.at(-1)?.join()) return;
      await restart(1, [1], named);
      issued.push(named);
    },
  });
  const running = gardenlet.run();
  await vi.waitFor(() => expect(issued).toEqual([[issuer]]), { timeout: 60_000 });
  return { issued, running };
}

async function mintToken(): Promise<string> {
  const tokens = '/api/v1/namespaces/default/serviceaccounts/default/token';
  const { body } = await cluster.asAdmin('POST', tokens, { spec: { expirationSeconds: 3600 } });
  return (body as { status: { token: string } }).status.token;
}

async function accepts(token: string): Promise<boolean> {
  const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } };
  const { body } = await cluster.asAdmin('POST', '/apis/authentication.k8s.io/v1/tokenreviews', review);
  return (body as { status: { authenticated?: boolean } }).status.authenticated === true;
}

async function makeTokenSecret(name: string): Promise<TokenSecret> {
  const annotations = { 'kubernetes.io/service-account.name': 'default' };
  const type = 'kubernetes.io/service-account-token';
  await cluster.asAdmin('POST', '/api/v1/namespaces/default/secrets', { metadata: { name, annotations }, type });
  return vi.waitFor(() => readTokenSecret(name), { timeout: 30_000 });
}

interface TokenSecret {
  readonly token: string;
  /** Rotation or migration that had it minted anew. */
  readonly mintedBy: string | undefined;
}

async function readTokenSecret(name: string): Promise<TokenSecret> {
  const { body } = await cluster.asAdmin('GET', `/api/v1/namespaces/default/secrets/${name}`);
  const { data, metadata } = body as { data?: { token?: string }; metadata: { annotations: Record<string, string> } };
  if (data?.token === undefined) throw new Error(`no token in ${name} yet`);
  const token = Buffer.from(data.token, 'base64').toString();
  return { token, mintedBy: metadata.annotations['keyturn.dev/refreshed-by-rotation'] };
}
