// LeaseLock on a real API server, under the RBAC of deploy/rbac.yaml: the contract, what kubectl shows, and what hand edits do.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KubeClient } from '../../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../../src/api-servers/kube-config.ts';
import { LeaseLock } from '../../../src/cluster-lock/lease.ts';
import type { Holder } from '../../../src/cluster-lock/port.ts';
import { applyManifest } from '../../../src/demo/control-plane/apply-manifest.ts';
import { clusterLockContract } from '../../contract/cluster-lock.ts';
import { startSingleApiServer } from '../../fixtures/single-api-server.ts';
import type { SingleApiServer } from '../../fixtures/single-api-server.ts';

let server: SingleApiServer;
let client: KubeClient;
beforeAll(async () => {
  server = await startSingleApiServer();
  await applyManifest(await server.kubeConfig('admin'), 'deploy/rbac.yaml');
  client = new KubeClient(await loadKubeConfig(await server.kubeConfig('keyturn')));
});
afterAll(() => server.stop());

let made = 0;
clusterLockContract('Lease', async () => {
  const cluster = `c${(made += 1)}`;
  return () => new LeaseLock({ client, cluster });
});

const path = '/apis/coordination.k8s.io/v1/namespaces/keyturn/leases';
const holder: Holder = { temporalClusterId: 'service-1', namespace: 'ns', workflowId: 'rotate-prod', runId: '1' };
const never = async (): Promise<boolean> => false;
const always = async (): Promise<boolean> => true;

interface LeaseObject {
  metadata: { annotations?: Record<string, string>; labels?: Record<string, string>; resourceVersion: string };
  spec: Record<string, unknown>;
}
async function stored(cluster: string): Promise<LeaseObject> {
  return (await server.asAdmin('GET', `${path}/keyturn-${cluster}`)).body as LeaseObject;
}
async function edit(cluster: string, change: (lease: LeaseObject) => void): Promise<void> {
  const lease = await stored(cluster);
  change(lease);
  expect((await server.asAdmin('PUT', `${path}/keyturn-${cluster}`, lease)).status).toBe(200);
}

describe('the Lease itself', () => {
  test('tells people who holds it, and counts its holders', async () => {
    const lock = new LeaseLock({ client, cluster: 'shown', now: () => Date.parse('2026-01-31T01:02:03.456Z') });
    await lock.acquire(holder, never);
    const { spec, metadata } = await stored('shown');
    expect(spec).toEqual({
      holderIdentity: 'ns/rotate-prod/1',
      acquireTime: '2026-01-31T01:02:03.456000Z',
      renewTime: '2026-01-31T01:02:03.456000Z',
      leaseTransitions: 1,
    });
    expect(JSON.parse(metadata.annotations?.['keyturn.dev/holder'] ?? '')).toEqual(holder);
    expect(metadata.labels).toEqual({ 'app.kubernetes.io/managed-by': 'keyturn' });

    await new LeaseLock({ client, cluster: 'shown' }).acquire({ ...holder, runId: '2' }, always);
    expect((await stored('shown')).spec).toMatchObject({ holderIdentity: 'ns/rotate-prod/2', leaseTransitions: 2 });
    await lock.release({ ...holder, runId: '2' }, { keepRecord: true });
    expect((await stored('shown')).spec).toEqual({ renewTime: '2026-01-31T01:02:03.456000Z', leaseTransitions: 2 });
  });

  test('confirming renews it, and foreign annotations stay', async () => {
    await new LeaseLock({ client, cluster: 'renewed', now: () => 1e12 }).acquire(holder, never);
    await edit('renewed', ({ metadata }) => Object.assign(metadata.annotations ?? {}, { 'example.com/note': 'hello' }));
    const lock = new LeaseLock({ client, cluster: 'renewed', now: () => 1e12 + 1000 });
    await lock.confirm(holder);
    expect((await stored('renewed')).spec['renewTime']).toBe('2001-09-09T01:46:41.000000Z');
    await lock.release(holder, { keepRecord: false });
    expect((await stored('renewed')).metadata.annotations).toEqual({ 'example.com/note': 'hello' });
  });

  test('is not written where it changed between reading and writing', async () => {
    const lock = new LeaseLock({ client, cluster: 'raced' });
    await lock.acquire(holder, never);
    const taking = lock.acquire({ ...holder, runId: '2' }, async () => {
      await lock.confirm(holder);
      return true;
    });
    await expect(taking).rejects.toMatchObject({ code: 'LOCK_LOST', retryable: true });
    expect((await lock.read()).held?.holder).toEqual(holder);
  });
});

describe('after hand edits', () => {
  test.each([
    ['the holder is not JSON', 'keyturn.dev/holder', '{nonsense'],
    ['the holder lacks a field', 'keyturn.dev/holder', '{"namespace":"ns"}'],
    ['the holder is another than holderIdentity', 'keyturn.dev/holder', JSON.stringify({ ...holder, runId: '9' })],
    ['the record is not JSON', 'keyturn.dev/rotation', 'nonsense'],
    ['the record lacks a field', 'keyturn.dev/rotation', '{"rotationId":"r1"}'],
  ])('where %s, it says so and takes nothing', async (what, annotation, value) => {
    const cluster = what.replaceAll(' ', '-').toLowerCase();
    const lock = new LeaseLock({ client, cluster });
    await lock.acquire(holder, never);
    await edit(cluster, ({ metadata }) => Object.assign(metadata.annotations ?? {}, { [annotation]: value }));
    const before = await stored(cluster);
    const refusal = {
      code: 'CLUSTER_LOCKED',
      retryable: false,
      subject: `keyturn/keyturn-${cluster}`,
      details: { annotation },
    };
    await expect(lock.read()).rejects.toMatchObject(refusal);
    await expect(lock.acquire({ ...holder, runId: '2' }, always)).rejects.toMatchObject(refusal);
    expect(await stored(cluster)).toEqual(before);
  });

  test('a person can hold the lock with kubectl, and is named', async () => {
    const lock = new LeaseLock({ client, cluster: 'by-hand' });
    await lock.acquire(holder, never);
    await lock.release(holder, { keepRecord: true });
    await edit('by-hand', ({ spec }) => Object.assign(spec, { holderIdentity: 'alice, upgrading until Friday' }));
    await expect(lock.acquire(holder, always)).rejects.toMatchObject({
      code: 'CLUSTER_LOCKED',
      message: expect.stringContaining('held by "alice, upgrading until Friday"') as string,
    });
  });

  test('the command in the message frees the lock and leaves the record', async () => {
    const lock = new LeaseLock({ client, cluster: 'freed' });
    await lock.acquire(holder, never);
    const refusal: unknown = await lock.acquire({ ...holder, runId: '2' }, never).catch((error: unknown) => error);
    const patch = /kubectl -n keyturn patch lease keyturn-freed --type=merge -p '(.*)'/.exec(
      (refusal as Error).message,
    );
    await edit('freed', (lease) => Object.assign(lease.spec, (JSON.parse(patch?.[1] ?? '') as LeaseObject).spec));
    await lock.acquire({ ...holder, runId: '2' }, never);
    expect((await lock.read()).held?.holder.runId).toBe('2');
  });
});

describe('refusals', () => {
  test('a name that cannot be part of a Lease', () => {
    expect(() => new LeaseLock({ client, cluster: 'Prod EU' })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
  });

  test('a namespace that does not exist', async () => {
    const admin = new KubeClient(await loadKubeConfig(await server.kubeConfig('admin')));
    await expect(
      new LeaseLock({ client: admin, cluster: 'x', namespace: 'none' }).acquire(holder, never),
    ).rejects.toMatchObject({ code: 'API_SERVER_UNEXPECTED', remedy: 'Apply deploy/rbac.yaml' });
  });

  test('missing rights', async () => {
    const nobody = new KubeClient(await loadKubeConfig(await server.kubeConfig('nobody')));
    await expect(new LeaseLock({ client: nobody, cluster: 'x' }).acquire(holder, never)).rejects.toMatchObject({
      code: 'API_SERVER_FORBIDDEN',
      message: expect.stringContaining('may not get leases.coordination.k8s.io keyturn/keyturn-x') as string,
    });
  });
});
