// A rotation by two workers that share nothing but the cluster and OpenBao: the key is in a Secret, sealed by a transit key.
import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KubeClient } from '../../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../../src/api-servers/kube-config.ts';
import type { RotationHandle } from '../../../src/cli/temporal.ts';
import { applyManifest } from '../../../src/demo/control-plane/apply-manifest.ts';
import type { GuardedProcess } from '../../../src/demo/guarded-process.ts';
import type { AuditRecord } from '../../../src/rotation/audit.ts';
import { startOpenBao, type OpenBao } from '../../fixtures/openbao.ts';
import { filesWithPrivateKey } from '../../fixtures/private-key-search.ts';
import { openScene, rotate, stepRuns, waitForStatus, type Scene } from '../rotation-scene.ts';

const main = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
const SECRETS = '/api/v1/namespaces/keyturn-keys/secrets';

let bao: OpenBao;
let scene: Scene;
let admin: KubeClient;
beforeAll(async () => {
  bao = await startOpenBao();
  const tokenFile = path.join(bao.directory, 'worker.token');
  await writeFile(tokenFile, await bao.token(), { mode: 0o600 });
  const transit = { address: bao.address, caFile: bao.caFile, key: 'keyturn', auth: { token: { file: tokenFile } } };
  const keyStore = { type: 'kubernetes-secret', wrappingKey: { transit } };
  scene = await openScene({ nodes: 2, clusterFields: { keyStore } });
  await applyManifest(scene.controlPlane.adminKubeconfigPath, 'deploy/rbac-key-store.yaml');
  admin = new KubeClient(await loadKubeConfig(scene.controlPlane.adminKubeconfigPath));
});
afterAll(async () => {
  await scene?.close();
  await bao?.stop();
});

/** Not awaited in a blocking way: the control plane's load balancer is in this process. */
async function keyturn(...args: string[]): Promise<string> {
  const env = { ...process.env, ...scene.processEnvironment };
  const { stdout } = await promisify(execFile)(process.execPath, [main, ...args], { env });
  return stdout.trim();
}

async function secrets(): Promise<readonly { metadata: { annotations: Record<string, string> } }[]> {
  const { body } = await admin.call({ verb: 'list', path: SECRETS, resource: 'secrets' });
  return (body as { items: { metadata: { annotations: Record<string, string> } }[] }).items;
}

/** The worker that does this step now. */
async function workerOf(handle: RotationHandle, workers: readonly GuardedProcess[]): Promise<GuardedProcess> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await sleep(50)) {
    const { raw } = await handle.describe();
    const signing = raw.pendingActivities?.find(({ activityType }) => activityType?.name === 'sign');
    const found = workers.find(({ pid }) => signing?.lastWorkerIdentity?.startsWith(`${pid}@`));
    if (found !== undefined) return found;
  }
  throw new Error('no worker signs');
}

test('the one that signs is killed, the other goes on with the same key; re-wrapped meanwhile; nothing is left', async () => {
  const workers = [await scene.startWorker(), await scene.startWorker()];
  const handle = await rotate(scene);

  const { keys } = await waitForStatus(handle, stepRuns('trust/node-2'));
  const [secret, ...others] = await secrets();
  expect(others).toEqual([]);
  expect(secret?.metadata.annotations).toMatchObject({
    'keyturn.dev/cluster': scene.cluster,
    'keyturn.dev/kid': keys.find(({ role }) => role === 'next')?.kid,
    'keyturn.dev/wrapping-key': 'transit/keyturn:v1',
  });
  await bao.asRoot('POST', 'transit/keys/keyturn/rotate', {});
  expect(await keyturn('keys', 'rewrap')).toBe(`${scene.cluster}: transit/keyturn:v1 -> transit/keyturn:v2`);
  await bao.asRoot('POST', 'transit/keys/keyturn/config', { min_decryption_version: 2 });

  await waitForStatus(handle, stepRuns('sign/node-2'));
  const killed = await workerOf(handle, workers);
  killed.signal('SIGKILL');
  await killed.exited;
  const audit = await handle.result();

  expect(audit).toMatchObject({ outcome: 'completed', holds: [], probes: { rejected: 0 } });
  expect(audit.probes?.checks).toBeGreaterThan(100);
  expect(stagingOf(audit)).toMatchObject({ wrappingKeyId: 'transit/keyturn:v1' });
  expect(audit.keys.find(({ role }) => role === 'active')?.kid).toBe(secret?.metadata.annotations['keyturn.dev/kid']);
  expect(await secrets()).toEqual([]);
  expect(await keyturn('keys', 'rewrap')).toBe(`${scene.cluster}: nothing to re-wrap: no key is staged`);
});

test('the Lease remembers the wrapping key, and doctor tells that the store is empty', async () => {
  const lease = {
    verb: 'get',
    path: '/apis/coordination.k8s.io/v1/namespaces/keyturn/leases/keyturn-demo',
    resource: 'leases',
  } as const;
  const { metadata } = (await admin.call(lease)).body as { metadata: { annotations: Record<string, string> } };
  expect(JSON.parse(metadata.annotations['keyturn.dev/rotation'] ?? '')).toMatchObject({
    wrappingKeyId: 'transit/keyturn:v1',
  });
  const findings = JSON.parse(await keyturn('--json', 'doctor')) as { what: string; found: string; level: string }[];
  expect(findings.find(({ what }) => what === `cluster ${scene.cluster}: key store`)).toMatchObject({
    level: 'ok',
    found: expect.stringMatching(/^kubernetes-secret keyturn-keys at https:.*: empty$/) as unknown,
  });
});

test('the private key is on the nodes, and nowhere else: not in etcd, a history, a log, an audit record, or with OpenBao', async () => {
  const privatePem = await readFile(path.join(scene.controlPlane.nodes[0]!.pkiDirectory, 'sa.key'), 'utf8');
  expect((await readdir(scene.directory)).toSorted()).toContain('worker.log');
  const nodes = ['node-1', 'node-2'].map((node) => `control-plane/${node}/pki/sa.key`);
  expect(await filesWithPrivateKey(scene.directory, privatePem)).toEqual(nodes);
  expect(await filesWithPrivateKey(bao.directory, privatePem)).toEqual([]);
});

function stagingOf({ steps }: AuditRecord): AuditRecord['steps'][number] | undefined {
  return steps.find(({ phase, wrappingKeyId }) => phase === 'Staging' && wrappingKeyId !== undefined);
}
