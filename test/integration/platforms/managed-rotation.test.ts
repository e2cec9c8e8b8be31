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
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { startRotation } from '../../../src/cli/rotate.ts';
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
async function restart(signer: 1 | 2, trusts: readonly (1 | 2)[]): Promise<void> {
  await manager?.signal('SIGKILL');
  await cluster.signal('SIGKILL');
  await cluster.start(signer, { trusts, issuers: [issuer] });
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
  const clusters = [
    {
      name: 'shoot',
      platform: {
        type: 'gardener',
        ...access,
        garden: { kubeconfig: await garden.kubeConfig('keyturn'), namespace: garden.namespace, shoot: 'prod' },
        pollInterval: '200ms',
      },
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
  const rights = await readFile('deploy/rbac-gardener.yaml', 'utf8');
  const ours = rights.replaceAll('garden-PROJECT', garden.namespace).replaceAll('SHOOT', 'prod');
  await applyYaml(await garden.kube.kubeConfig('admin'), ours);
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
