// A rotation that Gardener orders: on a real gardener-apiserver, under the RBAC of deploy/rbac-gardener.yaml, with a stand-in gardenlet.
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { KubeClient } from '../../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../../src/api-servers/kube-config.ts';
import { applyYaml } from '../../../src/demo/control-plane/apply-manifest.ts';
import { GardenerPlatform, type GardenerPlatformOptions } from '../../../src/platforms/gardener/gardener.ts';
import { ShootClient } from '../../../src/platforms/gardener/shoot-client.ts';
import type { ManagedRotation } from '../../../src/platforms/port.ts';
import type { PublicKey } from '../../../src/rotation/key.ts';
import { FakeApiServer } from '../../fakes/api-server.ts';
import { startGarden, type Garden, type ShootOptions } from '../../fixtures/garden.ts';
import { gardenletStandIn } from '../../fixtures/gardenlet-stand-in.ts';

let garden: Garden;
let ours: KubeClient;
let number = 0;

beforeAll(async () => {
  garden = await startGarden();
  ours = new KubeClient(await loadKubeConfig(await garden.kubeConfig('keyturn')), { timeoutMs: 30_000 });
});
afterAll(() => garden.stop());

/** A new Shoot, Keyturn's rights on it, and everything that acts on it. */
async function newShoot(options: ShootOptions = {}, change: Partial<GardenerPlatformOptions> = {}) {
  const name = `shoot-${++number}`;
  await garden.createShoot(name, options);
  const rights = (await readFile('deploy/rbac-gardener.yaml', 'utf8'))
    .replaceAll('garden-PROJECT', garden.namespace)
    .replaceAll('SHOOT', name);
  await applyYaml(await garden.kube.kubeConfig('admin'), rights);
  const client = new ShootClient(ours, { namespace: garden.namespace, name });
  // The API server learns of new rights a moment later.
  await vi.waitFor(() => client.read(), { timeout: 30_000 });
  const platform = new GardenerPlatform({
    shoot: client,
    apiServers: [new FakeApiServer('shoot')],
    publishing: 'ours',
    workersRollout: 'with-rotation',
    timeoutMs: 60_000,
    pollMs: 100,
    ...change,
  });
  const rotation = {
    rotationId: 'r1',
    startedAt: new Date().toISOString(),
    former: { kid: 'former' } as PublicKey,
    next: null,
  };
  const annotate = (annotations: Readonly<Record<string, string | null>>) =>
    garden.asAdmin({
      verb: 'patch',
      path: `/apis/core.gardener.cloud/v1beta1/namespaces/${garden.namespace}/shoots/${name}`,
      body: { metadata: { annotations } },
    });
  return { name, client, platform, rotation, gardenlet: gardenletStandIn(garden, name), annotate };
}

describe('the way of a rotation', { timeout: 120_000 }, () => {
  it('is started and completed by annotation, and followed by phase', async () => {
    const { platform, rotation, gardenlet } = await newShoot();
    const asked = { waitingFor: 'gardenlet, which was asked for rotate-serviceaccount-key-start' };
    expect(await platform.begin(rotation)).toEqual(asked);
    expect(await platform.begin(rotation)).toEqual({
      waitingFor: 'gardenlet, which has still to take up the operation rotate-serviceaccount-key-start',
    });
    await gardenlet.takeUp();
    expect(await platform.begin(rotation)).toEqual({
      changed: false,
      proof: expect.stringMatching(/^Gardener has begun at .*; phase Preparing$/),
    });
    expect(await platform.advance()).toEqual({
      waitingFor: 'Gardener, in phase Preparing: Reconcile Processing, 42 %: Deploying kube-apiserver',
    });
    await gardenlet.finish();
    expect(await platform.advance()).toEqual({
      changed: false,
      proof: expect.stringContaining('Gardener has prepared the rotation at 20'),
    });

    expect(await platform.forget()).toEqual({
      waitingFor: 'gardenlet, which was asked for rotate-serviceaccount-key-complete',
    });
    await gardenlet.takeUp();
    expect(await platform.forget()).toEqual({
      waitingFor: 'Gardener, in phase Completing: Reconcile Processing, 42 %: Deploying kube-apiserver',
    });
    await gardenlet.finish();
    expect(await platform.forget()).toEqual({
      changed: false,
      proof: expect.stringContaining('Gardener has completed the rotation at 20'),
    });
    expect(gardenlet.taken).toEqual(['rotate-serviceaccount-key-start', 'rotate-serviceaccount-key-complete']);
  });

  it('can be done again after it has completed', async () => {
    const { platform, rotation, gardenlet } = await newShoot();
    const drive = async (step: () => Promise<object>) => {
      while (!('proof' in (await step()))) if (await gardenlet.takeUp()) await gardenlet.finish();
    };
    const round = async (startedAt: string) => {
      await drive(() => platform.begin({ ...rotation, startedAt }));
      await drive(() => platform.advance());
      await drive(() => platform.forget());
    };
    await round(rotation.startedAt);
    await round(new Date(Date.now() + 2000).toISOString());
    expect(gardenlet.taken).toHaveLength(4);
    expect((await gardenlet.shoot()).status.credentials?.rotation?.serviceAccountKey?.phase).toBe('Completed');
  });

  it('rolls out worker pools one after the other where that is configured', async () => {
    const workers = { one: 'AutoRollingUpdate', two: 'AutoRollingUpdate' } as const;
    const { platform, rotation, gardenlet } = await newShoot({ workers }, { workersRollout: 'pool-by-pool' });
    await platform.begin(rotation);
    await gardenlet.takeUp();
    expect(await platform.advance()).toEqual({
      waitingFor: expect.stringContaining('in phase PreparingWithoutWorkersRollout'),
    });
    await gardenlet.finish();
    expect(await platform.advance()).toEqual({
      waitingFor: 'gardenlet, which was asked for rotate-rollout-workers=one',
    });
    expect(await platform.advance()).toEqual({
      waitingFor: expect.stringContaining('in phase WaitingForWorkersRollout'),
    });
    await gardenlet.takeUp();
    expect(await platform.advance()).toEqual({ waitingFor: expect.stringContaining('Reconcile Processing') });
    await gardenlet.finish();
    expect(await platform.advance()).toEqual({
      waitingFor: 'gardenlet, which was asked for rotate-rollout-workers=two',
    });
    await gardenlet.takeUp();
    await gardenlet.finish();
    expect(await platform.advance()).toMatchObject({ proof: expect.stringContaining('prepared') });
    expect(gardenlet.taken).toEqual([
      'rotate-serviceaccount-key-start-without-workers-rollout',
      'rotate-rollout-workers=one',
      'rotate-rollout-workers=two',
    ]);
  });

  it('waits for a person who rolls them out, where that is configured', async () => {
    const workers = { one: 'AutoRollingUpdate', two: 'AutoRollingUpdate' } as const;
    const { platform, rotation, gardenlet, annotate } = await newShoot({ workers }, { workersRollout: 'by-hand' });
    await platform.begin(rotation);
    await gardenlet.takeUp();
    await gardenlet.finish();
    expect(await platform.advance()).toEqual({
      waitingFor:
        'a person who rolls out the worker pools one, two (annotation gardener.cloud/operation=rotate-rollout-workers=<pool>)',
    });
    await annotate({ 'gardener.cloud/operation': 'rotate-rollout-workers=one,two' });
    await gardenlet.takeUp();
    await gardenlet.finish();
    expect(await platform.advance()).toMatchObject({ proof: expect.stringContaining('prepared') });
  });

  it('holds on nodes that wait for a person, and goes on when they are updated', async () => {
    const { platform, rotation, gardenlet } = await newShoot({ workers: { big: 'ManualInPlaceUpdate' } });
    await platform.begin(rotation);
    await gardenlet.takeUp();
    await gardenlet.patchStatus({ inPlaceUpdates: { pendingWorkerUpdates: { manualInPlaceUpdate: ['big'] } } });
    expect(await platform.advance()).toEqual({ waitingFor: expect.stringContaining('Reconcile Processing') });
    await gardenlet.finish();
    await expect(platform.advance()).rejects.toMatchObject({
      code: 'PLATFORM_UNFINISHED',
      retryable: false,
      message: expect.stringMatching(/ManualInPlaceUpdate wait for a person: big.*selected-for-update=true/),
    });
    await gardenlet.patchStatus({ inPlaceUpdates: null });
    await gardenlet.finish();
    expect(await platform.advance()).toMatchObject({ proof: expect.stringContaining('prepared') });
  });
});

describe('trouble under way', { timeout: 120_000 }, () => {
  it('an operation of somebody else is waited for, never overwritten', async () => {
    const { platform, rotation, gardenlet, annotate } = await newShoot();
    await annotate({ 'gardener.cloud/operation': 'rotate-observability-credentials' });
    expect(await platform.begin(rotation)).toEqual({
      waitingFor: 'gardenlet, which has still to take up the operation rotate-observability-credentials',
    });
    const { annotations } = (await gardenlet.shoot()).metadata;
    expect(annotations?.['gardener.cloud/operation']).toBe('rotate-observability-credentials');
  });

  it('a change between look and question is a lost race, which is retried', async () => {
    const { platform, rotation, client, gardenlet } = await newShoot();
    const seen = await client.read();
    await gardenlet.patchStatus({ observedGeneration: 1 });
    await expect(client.ask(seen, 'rotate-serviceaccount-key-start')).rejects.toMatchObject({
      retryable: true,
      details: { status: 409 },
    });
    expect(await platform.begin(rotation)).toHaveProperty('waitingFor');
  });

  it('a failed last operation holds with Gardener’s words', async () => {
    const { platform, rotation, gardenlet } = await newShoot();
    await platform.begin(rotation);
    await gardenlet.takeUp();
    const lastUpdateTime = new Date().toISOString();
    const lastOperation = {
      type: 'Reconcile',
      state: 'Failed',
      progress: 40,
      description: 'Flow failed.',
      lastUpdateTime,
    };
    await gardenlet.patchStatus({ lastOperation, lastErrors: [{ description: 'quota exceeded in region x' }] });
    await expect(platform.advance()).rejects.toMatchObject({
      code: 'PLATFORM_FAILED',
      retryable: false,
      message: expect.stringContaining(
        'Gardener has given up: Reconcile Failed, 40 %: Flow failed.: quota exceeded in region x',
      ),
    });
  });

  it('a rotation that somebody else completed holds', async () => {
    const { platform, rotation, gardenlet, annotate } = await newShoot();
    await platform.begin(rotation);
    await gardenlet.takeUp();
    await gardenlet.finish();
    await annotate({ 'gardener.cloud/operation': 'rotate-serviceaccount-key-complete' });
    await gardenlet.takeUp();
    await expect(platform.advance()).rejects.toMatchObject({ code: 'PLATFORM_CHANGED' });
    await gardenlet.finish();
    await expect(platform.advance()).rejects.toMatchObject({
      code: 'PLATFORM_CHANGED',
      message: expect.stringContaining('completed by somebody else before its time'),
    });
    // A second in Gardener's clock: what was begun after ours and has completed is not begun again.
    await expect(platform.begin({ ...rotation, startedAt: '2020-01-01T00:00:00Z' })).rejects.toMatchObject({
      code: 'PLATFORM_CHANGED',
    });
  });

  it('a rotation that was begun before ours is not taken for ours', async () => {
    const { platform, rotation, gardenlet, annotate } = await newShoot();
    await annotate({ 'gardener.cloud/operation': 'rotate-serviceaccount-key-start' });
    await gardenlet.takeUp();
    const startedAt = new Date(Date.now() + 3_600_000).toISOString();
    await expect(platform.begin({ ...rotation, startedAt })).rejects.toMatchObject({
      code: 'PLATFORM_CHANGED',
      message: expect.stringContaining('was begun at'),
    });
  });

  it('the admission’s refusal of an operation is told in its words', async () => {
    const { client } = await newShoot();
    await expect(client.ask(await client.read(), 'rotate-serviceaccount-key-complete')).rejects.toMatchObject({
      code: 'PLATFORM_FAILED',
      message: expect.stringContaining(
        `cannot complete service account key rotation if .status.credentials.rotation.serviceAccountKey.phase is not 'Prepared'`,
      ),
    });
  });
});

describe('preflight', { timeout: 120_000 }, () => {
  const problems = async (platform: GardenerPlatform, underWay: ManagedRotation | null = null) =>
    (await platform.observe(underWay)).problems.map(({ message }) => message);

  it('lets a Shoot at rest pass, and changes nothing by its dry run', async () => {
    const { platform, gardenlet } = await newShoot();
    const before = await gardenlet.shoot();
    expect(await problems(platform)).toEqual([]);
    expect(await gardenlet.shoot()).toEqual(before);
  });

  it('reads how long tokens live', async () => {
    const config = { extendTokenExpiration: false, maxTokenExpiration: '1080h' };
    const { platform } = await newShoot({ serviceAccountConfig: config });
    expect(await platform.observe(null)).toMatchObject({ problems: [] });
    expect((await platform.observe(null)).tokenLifetimes).toEqual({
      maxTokenExpirationMs: 1080 * 3_600_000,
      extendTokenExpiration: false,
    });
    const plain = await newShoot();
    expect((await plain.platform.observe(null)).tokenLifetimes).toEqual({
      maxTokenExpirationMs: null,
      extendTokenExpiration: true,
    });
  });

  it('finds what the API would refuse: a Shoot that was never created, or is in a rotation', async () => {
    const { platform, gardenlet } = await newShoot();
    const at = new Date().toISOString();
    await gardenlet.patchStatus({
      lastOperation: { type: 'Create', state: 'Processing', progress: 1, description: '', lastUpdateTime: at },
    });
    expect(await problems(platform)).toEqual([
      expect.stringContaining('cannot start service account key rotation if shoot was not yet created successfully'),
    ]);
    await gardenlet.patchStatus({
      lastOperation: { type: 'Create', state: 'Succeeded', progress: 100, description: '', lastUpdateTime: at },
    });
    await gardenlet.patchStatus({ credentials: { rotation: { serviceAccountKey: { phase: 'Prepared' } } } });
    expect(await problems(platform)).toEqual([expect.stringContaining("serviceAccountKey.phase is not 'Completed'")]);
  });

  it('finds a Shoot that is hibernated', async () => {
    const { name, platform, gardenlet } = await newShoot();
    await garden.asAdmin({
      verb: 'patch',
      path: `/apis/core.gardener.cloud/v1beta1/namespaces/${garden.namespace}/shoots/${name}`,
      body: { spec: { hibernation: { enabled: true } } },
    });
    await gardenlet.patchStatus({ hibernated: true });
    expect(await problems(platform)).toEqual([expect.stringContaining('is not permitted when shoot is hibernated')]);
  });

  it('finds an operation that waits, and a last operation that has failed', async () => {
    const { platform, gardenlet, annotate } = await newShoot();
    await annotate({ 'gardener.cloud/operation': 'rotate-serviceaccount-key-start' });
    expect(await problems(platform)).toEqual([
      expect.stringContaining('has still to take up: rotate-serviceaccount-key-start'),
    ]);
    await annotate({ 'gardener.cloud/operation': null });
    await gardenlet.patchStatus({
      lastOperation: {
        type: 'Reconcile',
        state: 'Failed',
        progress: 9,
        description: 'no',
        lastUpdateTime: new Date().toISOString(),
      },
    });
    expect(await problems(platform)).toEqual([
      expect.stringContaining('Gardener has given up: Reconcile Failed, 9 %: no'),
    ]);
  });

  it('does not take our own rotation, which is taken up, for another', async () => {
    const { platform, rotation, gardenlet } = await newShoot();
    await gardenlet.patchStatus({ credentials: { rotation: { serviceAccountKey: { phase: 'Prepared' } } } });
    expect(await problems(platform, rotation)).toEqual([]);
  });

  it('says who must publish: a custom issuer is not left to Gardener', async () => {
    const serviceAccountConfig = { issuer: 'https://issuer.test' };
    const { platform } = await newShoot({ serviceAccountConfig }, { publishing: 'by-platform' });
    expect(await problems(platform)).toEqual([
      expect.stringContaining('has the issuer https://issuer.test, where Gardener publishes nothing'),
    ]);
    const byDefault = await newShoot({}, { publishing: 'by-platform' });
    expect(await problems(byDefault.platform)).toEqual([]);
  });

  it('recognises a managed issuer: there is nothing to publish', async () => {
    // The garden's operator offers it with a Secret; admission refuses the annotation otherwise.
    await garden.kube.asAdmin('POST', '/api/v1/namespaces', { kind: 'Namespace', metadata: { name: 'garden' } });
    const labels = { 'gardener.cloud/role': 'shoot-service-account-issuer' };
    const stringData = { hostname: 'issuer.garden.test' };
    const offer = { kind: 'Secret', metadata: { name: 'issuer', labels }, stringData };
    await garden.kube.asAdmin('POST', '/api/v1/namespaces/garden/secrets', offer);
    const { platform, gardenlet, annotate } = await newShoot();
    const managed = { 'authentication.gardener.cloud/issuer': 'managed' };
    await vi.waitFor(() => annotate(managed), { timeout: 30_000 });
    expect(await problems(platform)).toEqual([
      expect.stringContaining('at an address that gardenlet has not told yet'),
    ]);
    const url = 'https://issuer.garden.test/projects/dev/shoots/1/issuer';
    await gardenlet.patchStatus({ advertisedAddresses: [{ name: 'service-account-issuer', url }] });
    expect(await problems(platform)).toEqual([
      expect.stringContaining(`Gardener serves its JWKS at ${url}, and there is nothing to publish`),
    ]);
    const byPlatform = await newShoot({}, { publishing: 'by-platform' });
    await byPlatform.annotate(managed);
    expect(await problems(byPlatform.platform)).toEqual([]);
    expect(byPlatform.platform.capabilities.publishing).toBe('by-platform');
  });

  it('names the rights that are missing, and the manifest that grants them', async () => {
    const { platform } = await newShoot(
      {},
      { shoot: new ShootClient(ours, { namespace: garden.namespace, name: 'other' }) },
    );
    expect(await problems(platform)).toEqual([
      `Keyturn may not get shoots.core.gardener.cloud ${garden.namespace}/other at ${ours.url}. Apply deploy/rbac-gardener.yaml, and bind its roles to the kubeconfig's user`,
    ]);
  });
});

describe('another issuer', { timeout: 120_000 }, () => {
  const A = 'https://a.test';
  const B = 'https://b.test';

  it('is accepted first, then issues with the former accepted, then stands alone; the Shoot remembers until then', async () => {
    const { platform, gardenlet, client } = await newShoot({
      serviceAccountConfig: { issuer: A, acceptedIssuers: ['https://other.test'] },
    });
    const { issuers } = platform;
    const { migration, problems, takenUp } = await issuers.observe(B);
    expect({ migration, problems, takenUp }).toEqual({
      migration: { from: A, to: B, fromIsDefault: false, acceptedBefore: ['https://other.test'] },
      problems: [],
      takenUp: false,
    });
    const configs: unknown[] = [];
    const drive = async (step: () => Promise<object>) => {
      expect(await step()).toMatchObject({ waitingFor: expect.stringContaining('gardenlet, which is to see') });
      expect(await step()).toMatchObject({ waitingFor: expect.stringContaining('gardenlet has seen generation') });
      await gardenlet.reconcile();
      expect(await step()).toMatchObject({ proof: expect.stringContaining('Gardener has reconciled generation') });
      configs.push((await client.read()).spec.kubernetes.kubeAPIServer?.serviceAccountConfig);
    };
    await gardenlet.reconcile();
    await drive(() => issuers.accept(migration));
    await drive(() => issuers.issue(migration));
    const verified = {
      at: '2026-01-01T00:00:00.000Z',
      staleTokens: { at: '2026-01-01T00:00:01.000Z', counts: [{ node: 'shoot', count: 3, startedAtMs: 1000 }] },
    };
    expect(await issuers.verified()).toBe(null);
    await issuers.remember(migration, verified);
    expect(await issuers.verified()).toEqual(verified);
    expect(await issuers.observe(B)).toEqual({
      migration,
      verified,
      takenUp: true,
      problems: [],
    });
    expect((await issuers.observe('https://c.test')).problems).toMatchObject([
      {
        message: expect.stringContaining(`is being moved from ${A} to ${B}, but the configuration says https://c.test`),
      },
    ]);
    await drive(() => issuers.forgetFormer(migration));
    expect(configs).toMatchObject([
      { issuer: A, acceptedIssuers: ['https://other.test', B] },
      { issuer: B, acceptedIssuers: ['https://other.test', A] },
      { issuer: B, acceptedIssuers: ['https://other.test'] },
    ]);
    expect(Object.keys((await client.read()).metadata.annotations)).not.toContain('keyturn.dev/issuer-migration');
  });

  it('is taken back from where the default one issued, and nothing of it is left', async () => {
    const { platform, gardenlet, client } = await newShoot();
    const { issuers } = platform;
    const { migration } = await issuers.observe(B);
    expect(migration).toMatchObject({ from: 'https://issuer.test', fromIsDefault: true });
    const drive = async (step: () => Promise<object>) => {
      while (!('proof' in (await step()))) await gardenlet.reconcile();
    };
    await gardenlet.reconcile();
    await drive(() => issuers.accept(migration));
    await drive(() => issuers.issue(migration));
    await drive(() => issuers.accept(migration));
    await drive(() => issuers.forgetNew(migration));
    const { metadata, spec } = await client.read();
    expect(spec.kubernetes.kubeAPIServer?.serviceAccountConfig).toEqual({ acceptedIssuers: [] });
    expect(Object.keys(metadata.annotations)).not.toContain('keyturn.dev/issuer-migration');
  });

  it('is refused before the API refuses it, and where only the API can know, in its words', async () => {
    const { platform, gardenlet, name } = await newShoot({ serviceAccountConfig: { issuer: A } });
    const problems = async (to: string) => (await platform.issuers.observe(to)).problems.map(({ message }) => message);
    for (const to of ['http://b.test', 'https://u:p@b.test', 'https://b.test?q', 'https://b.test#f', A])
      expect(await problems(to), to).toHaveLength(1);
    const path = `/apis/core.gardener.cloud/v1beta1/namespaces/${garden.namespace}/shoots/${name}`;
    const config = (serviceAccountConfig: object) =>
      garden.asAdmin({
        verb: 'patch',
        path,
        body: { spec: { kubernetes: { kubeAPIServer: { serviceAccountConfig } } } },
      });
    // What we refuse the API refuses too.
    for (const bad of [
      { issuer: 'http://b.test' },
      { issuer: 'https://u:p@b.test' },
      { issuer: 'https://b.test?q' },
      { issuer: 'https://b.test#f' },
      { acceptedIssuers: [A] },
      { acceptedIssuers: ['https://c.test', 'https://c.test'] },
      { maxTokenExpiration: '719h' },
      { maxTokenExpiration: '2161h' },
    ])
      await expect(config(bad), JSON.stringify(bad)).rejects.toThrow(/422/);
    expect(await problems(B)).toEqual([]);
    expect((await gardenlet.shoot()).metadata.annotations ?? {}).not.toHaveProperty('keyturn.dev/issuer-migration');
  });
});
