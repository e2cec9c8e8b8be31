// KubeCluster under exactly the RBAC of deploy/rbac.yaml, against a real kube-apiserver and kube-controller-manager.
import { generateKeyPairSync } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeProtectedHeader, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KubeApiServer } from '../../../src/api-servers/api-server.ts';
import { KubeCluster } from '../../../src/api-servers/cluster.ts';
import { createComponentProbe } from '../../../src/api-servers/component-probe.ts';
import { KubeClient } from '../../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../../src/api-servers/kube-config.ts';
import { findLegacyTokens } from '../../../src/api-servers/legacy-tokens.ts';
import { applyManifest } from '../../../src/demo/control-plane/apply-manifest.ts';
import type { ComponentProbe } from '../../../src/platforms/static-pod/component-probe.ts';
import { startSingleApiServer } from '../../fixtures/single-api-server.ts';
import type { SingleApiServer, User } from '../../fixtures/single-api-server.ts';

let server: SingleApiServer;
let firstKid: string;
beforeAll(async () => {
  server = await startSingleApiServer();
  await applyManifest(await server.kubeConfig('admin'), 'deploy/rbac.yaml');
  const probe = { namespace: 'keyturn', name: 'keyturn-probe' };
  const api = new KubeApiServer({ node: 'node-1', client: await client('keyturn'), probe });
  firstKid = (await api.mintToken()).kid;
});
afterAll(() => server.stop());

async function client(user: User, credential: 'certificate' | 'token' = 'certificate'): Promise<KubeClient> {
  return new KubeClient(await loadKubeConfig(await server.kubeConfig(user, credential)));
}
async function cluster(user: User = 'keyturn'): Promise<KubeCluster> {
  return new KubeCluster({ client: await client(user) });
}

describe('missingPermissions', () => {
  test('has nothing to say where deploy/rbac.yaml was applied', async () => {
    expect(await (await cluster()).missingPermissions()).toEqual([]);
  });

  test('names everything where nothing was granted', async () => {
    const problems = await (await cluster('nobody')).missingPermissions();
    // /readyz is open to everyone by Kubernetes' own system:public-info-viewer.
    expect(problems.map(({ subject }) => subject)).toEqual([
      'get /openid/v1/jwks',
      'get /.well-known/openid-configuration',
      'get /metrics',
      'create tokenreviews.authentication.k8s.io',
      'create serviceaccounts/token keyturn/keyturn-probe',
      'list secrets',
      'create secrets in namespace keyturn',
      'get secrets in namespace keyturn',
      'delete secrets in namespace keyturn',
      'get leases.coordination.k8s.io in namespace keyturn',
      'create leases.coordination.k8s.io in namespace keyturn',
      'update leases.coordination.k8s.io in namespace keyturn',
      'get endpointslices.discovery.k8s.io default/kubernetes',
    ]);
    expect(problems[5]).toEqual({
      code: 'API_SERVER_FORBIDDEN',
      subject: 'list secrets',
      message:
        'Keyturn may not list secrets, which it needs to find legacy tokens, which die with their key. ' +
        "Apply deploy/rbac.yaml, and bind its roles to the kubeconfig's user.",
    });
  });
});

describe('legacyTokens', () => {
  async function createSecret(
    name: string,
    token: string | undefined,
    labels: Record<string, string> = {},
  ): Promise<void> {
    const annotations = { 'kubernetes.io/service-account.name': 'keyturn-probe' };
    const type = 'kubernetes.io/service-account-token';
    const secret = { type, metadata: { name, labels, annotations }, stringData: token === undefined ? {} : { token } };
    expect((await server.asAdmin('POST', '/api/v1/namespaces/default/secrets', secret)).status).toBe(201);
  }

  test('finds each with its key and last use, over several pages', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const sign = (kid?: string): Promise<string> =>
      new SignJWT({}).setProtectedHeader(kid === undefined ? { alg: 'RS256' } : { alg: 'RS256', kid }).sign(privateKey);
    await createSecret('a-used', await sign('kid-1'), { 'kubernetes.io/legacy-token-last-used': '2026-01-31' });
    await createSecret('b-unused', await sign('kid-2'));
    await createSecret('c-not-filled', undefined);
    await createSecret('d-garbage', 'garbage');
    await createSecret('e-of-an-unknown-key-without-kid', await sign());
    await createSecret('f-ours', await sign('kid-1'), {
      'app.kubernetes.io/managed-by': 'keyturn',
      'app.kubernetes.io/component': 'controller-manager-probe',
    });
    const token = await server.legacyTokenWithoutKid(2);
    await createSecret('g-from-before-1-16', token.jwt);
    await server.asAdmin('POST', '/api/v1/namespaces/default/secrets', { metadata: { name: 'h-opaque' } });
    const facts = { serviceAccount: 'keyturn-probe', immutable: false, successorOf: null, rotationId: null };
    const expected = [
      { namespace: 'default', name: 'a-used', kid: 'kid-1', lastUsed: '2026-01-31', ...facts, references: null },
      { namespace: 'default', name: 'b-unused', kid: 'kid-2', lastUsed: null, ...facts, references: null },
      { namespace: 'default', name: 'g-from-before-1-16', kid: token.kid, lastUsed: null, ...facts, references: null },
    ];
    const { tokens } = await (await cluster()).legacyTokens(['kid-1']);
    expect(tokens).toEqual(expected.map((each) => (each.kid === 'kid-1' ? { ...each, references: [] } : each)));
    expect(await findLegacyTokens(await client('keyturn'), 2)).toEqual(expected);
    expect(decodeProtectedHeader(token.jwt).kid).toBeUndefined();
  });

  test('says what is missing where Secrets may not be listed', async () => {
    await expect((await cluster('nobody')).legacyTokens()).rejects.toMatchObject({
      code: 'API_SERVER_FORBIDDEN',
      details: { verb: 'list', resource: 'secrets' },
    });
  });
});

describe('apiServerAddresses', () => {
  const path = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';
  const slice = (addressType: string, addresses: string[]) => ({
    metadata: { name: 'kubernetes', labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType,
    endpoints: addresses.map((address) => ({ addresses: [address] })),
    ports: [{ name: 'https', port: 6443, protocol: 'TCP' }],
  });

  test.each([
    ['IPv4', ['10.0.0.1', '10.0.0.2'], ['https://10.0.0.1:6443', 'https://10.0.0.2:6443']],
    ['IPv6', ['fd00::1'], ['https://[fd00::1]:6443']],
    ['IPv4', [], []],
  ])('%s %j', async (family, addresses, urls) => {
    expect(await (await cluster()).apiServerAddresses()).toEqual([]);
    expect((await server.asAdmin('POST', path, slice(family, addresses))).status).toBe(201);
    expect(await (await cluster()).apiServerAddresses()).toEqual(urls);
    await server.asAdmin('DELETE', `${path}/kubernetes`);
  });
});

describe('the controller manager', () => {
  const listed = async (): Promise<unknown[]> => {
    const { body } = await server.asAdmin('GET', '/api/v1/namespaces/keyturn/secrets');
    return (body as { items: unknown[] }).items;
  };

  test('that is away: says so in time, and leaves no Secret', async () => {
    await expect((await cluster()).mintLegacyToken(300)).rejects.toMatchObject({
      code: 'EFFECT_MISSING',
      retryable: true,
    });
    expect(await listed()).toEqual([]);
  });

  test('proves its key by a token, shows its start, and is healthy', async () => {
    const manager = await server.startControllerManager();
    const kubeConfig = await loadKubeConfig(await server.kubeConfig('keyturn'));
    const probe: ComponentProbe = createComponentProbe(kubeConfig, manager.url);
    while (!(await probe.healthy())) await sleep(100);
    expect(await (await cluster()).mintLegacyToken()).toBe(firstKid);
    expect(await listed()).toEqual([]);

    const startTime = await probe.startTime();
    expect(Math.abs(Date.now() - (startTime ?? 0))).toBeLessThan(60_000);
    const byToken = createComponentProbe(
      await loadKubeConfig(await server.kubeConfig('keyturn', 'token')),
      manager.url,
    );
    expect(await byToken.startTime()).toBeUndefined();
    expect(await byToken.healthy()).toBe(true);
    const nobody = createComponentProbe(await loadKubeConfig(await server.kubeConfig('nobody')), manager.url);
    expect(await nobody.startTime()).toBeUndefined();
    expect(await nobody.healthy()).toBe(true);

    await manager.signal('SIGKILL');
    expect(await probe.startTime()).toBeUndefined();
    expect(await probe.healthy()).toBe(false);
  });

  test('removeLeftovers removes what a run that died left, and nothing else', async () => {
    const ours = {
      'app.kubernetes.io/managed-by': 'keyturn',
      'app.kubernetes.io/component': 'controller-manager-probe',
    };
    const path = '/api/v1/namespaces/keyturn/secrets';
    await server.asAdmin('POST', path, { metadata: { name: 'left', labels: ours } });
    await server.asAdmin('POST', path, {
      metadata: { name: 'key-store', labels: { 'app.kubernetes.io/managed-by': 'keyturn' } },
    });
    expect(await (await cluster()).removeLeftovers()).toBe(1);
    expect((await listed()).map((secret) => (secret as { metadata: { name: string } }).metadata.name)).toEqual([
      'key-store',
    ]);
    expect(await (await cluster()).removeLeftovers()).toBe(0);
  });
});
