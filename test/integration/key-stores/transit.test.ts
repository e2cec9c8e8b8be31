// Staged keys that a real OpenBao protects, under deploy/openbao-policy.hcl: in Secrets of a real API server and in files.
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { decodeProtectedHeader } from 'jose';
import { stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KubeClient } from '../../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../../src/api-servers/kube-config.ts';
import { findCluster, parseConfig } from '../../../src/config/load.ts';
import { applyManifest } from '../../../src/demo/control-plane/apply-manifest.ts';
import { EncryptedFileKeyStore } from '../../../src/key-stores/encrypted-file.ts';
import { KubernetesSecretKeyStore } from '../../../src/key-stores/kubernetes-secret.ts';
import type { KeyWrapper } from '../../../src/key-stores/key-wrapper.ts';
import type { KeyStore } from '../../../src/key-stores/port.ts';
import { TransitClient, type TransitAuth } from '../../../src/key-stores/transit-client.ts';
import { TransitKey } from '../../../src/key-stores/transit-key.ts';
import { composeKeyStore } from '../../../src/worker/compose-key-store.ts';
import { readPayloadCodec } from '../../../src/worker/payload-encryption.ts';
import { keyStoreContract } from '../../contract/key-store.ts';
import { startOpenBao, type OpenBao } from '../../fixtures/openbao.ts';
import { filesWithPrivateKey } from '../../fixtures/private-key-search.ts';
import { startSingleApiServer, type SingleApiServer } from '../../fixtures/single-api-server.ts';

let server: SingleApiServer;
let bao: OpenBao;
let client: KubeClient;
let directory: string;
let transitKey: TransitKey;
beforeAll(async () => {
  [server, bao] = await Promise.all([startSingleApiServer(), startOpenBao()]);
  const admin = await server.kubeConfig('admin');
  directory = path.dirname(admin);
  await applyManifest(admin, 'deploy/rbac-key-store.yaml');
  client = new KubeClient(await loadKubeConfig(await server.kubeConfig('keyturn')));
  transitKey = await bao.transitKey();
});
afterAll(async () => {
  await bao?.stop();
  await server?.stop();
});

const SECRETS = '/api/v1/namespaces/keyturn-keys/secrets';

function open(wrapper: KeyWrapper = transitKey): KubernetesSecretKeyStore {
  return new KubernetesSecretKeyStore({
    client,
    namespace: 'keyturn-keys',
    wrapper,
    keyType: 'ec-p256',
    identity: '7@worker-0',
  });
}

/** As keyturn.yaml says it, with the Secrets in another cluster than the one that is rotated. */
async function openAsConfigured(auth: unknown): Promise<KeyStore> {
  const transit = { address: bao.address, caFile: bao.caFile, key: 'keyturn', auth };
  const config = parseConfig(
    stringify({
      clusters: [
        {
          name: 'prod',
          platform: { type: 'static-pod', kubeconfig: 'of-no-use-here', nodes: [{ name: 'node-1' }] },
          issuer: 'https://issuer.example',
          publisher: { type: 'azure-blob', container: 'https://example.com/oidc' },
          keyStore: {
            type: 'kubernetes-secret',
            kubeconfig: await server.kubeConfig('keyturn'),
            context: 'test',
            wrappingKey: { transit },
          },
        },
      ],
    }),
    'test',
  );
  return composeKeyStore({ ...config, file: path.join(directory, 'keyturn.yaml') }, findCluster(config, 'prod'));
}

async function removeAll(): Promise<void> {
  const { items } = (await server.asAdmin('GET', SECRETS)).body as { items: { metadata: { name: string } }[] };
  for (const { metadata } of items) await server.asAdmin('DELETE', `${SECRETS}/${metadata.name}`);
}

keyStoreContract('kubernetes-secret with transit', async () => {
  await removeAll();
  return { open: () => open(), keys: 'made' };
});
keyStoreContract('encrypted-file with transit', async () => {
  const folder = await mkdtemp(path.join(directory, 'keys-'));
  return {
    open: () => new EncryptedFileKeyStore({ directory: folder, wrapper: transitKey, keyType: 'ec-p256' }),
    keys: 'made',
  };
});

test('the private key is nowhere in the clear: not in etcd, not with OpenBao, not in their logs', async () => {
  await removeAll();
  const { kid } = await open().stage('prod');
  const { privatePem } = await open().load('prod', kid);
  expect(await open().wrappingKeyId('prod')).toBe('transit/keyturn:v1');
  expect(await filesWithPrivateKey(directory, privatePem)).toEqual([]);
  expect(await filesWithPrivateKey(bao.directory, privatePem)).toEqual([]);
});

describe('keys of Temporal payloads that only the key service opens', () => {
  const PAYLOAD = { metadata: {}, data: Buffer.from('a reason') };
  let transitFile: string;
  beforeAll(async () => {
    transitFile = path.join(directory, 'payload-transit.yaml');
    await writeFile(path.join(directory, 'payload.token'), await bao.token());
    const auth = { token: { file: 'payload.token' } };
    await writeFile(transitFile, stringify({ address: bao.address, caFile: bao.caFile, key: 'keyturn', auth }));
  });
  const newKey = async () =>
    String((await bao.asRoot('POST', 'transit/datakey/wrapped/keyturn', { bits: 256 }))['data']?.['ciphertext']);
  const codecOf = async (keys: string) => {
    const codec = await readPayloadCodec({ KEYTURN_PAYLOAD_KEYS: keys, KEYTURN_PAYLOAD_TRANSIT: transitFile });
    if (codec === null) throw new Error('no keys were read');
    return codec;
  };

  test('are the bytes that it has encrypted, under the ID that stands in front', async () => {
    const wrapped = await newKey();
    const encoded = await (await codecOf(`2026-11:${wrapped}`)).encode([PAYLOAD]);
    const { data } = await bao.asRoot('POST', 'transit/decrypt/keyturn', { ciphertext: wrapped });
    const inClear = await readPayloadCodec({ KEYTURN_PAYLOAD_KEYS: `2026-11:${String(data?.['plaintext'])}` });
    expect(await inClear?.decode(encoded)).toEqual([PAYLOAD]);
  });

  test('are rotated by ID, and so is the key that encrypts them', async () => {
    const old = await newKey();
    const encoded = await (await codecOf(`2026-11:${old}`)).encode([PAYLOAD]);
    await bao.asRoot('POST', 'transit/keys/keyturn/rotate', {});
    const { data } = await bao.asRoot('POST', 'transit/rewrap/keyturn', { ciphertext: old });
    const rewrapped = String(data?.['ciphertext']);
    expect(rewrapped).not.toContain('vault:v1:');
    const both = await codecOf(`2027-02:${await newKey()}\n2026-11:${rewrapped}`);
    expect(await both.decode(encoded)).toEqual([PAYLOAD]);
    const [newest] = await both.encode([PAYLOAD]);
    expect(decodeProtectedHeader(Buffer.from(newest?.data ?? []).toString())).toMatchObject({ kid: '2027-02' });
  });

  test('are refused where the key service does not open them', async () => {
    await bao.asRoot('POST', 'transit/keys/keyturn-payloads', {});
    const foreign = await bao.asRoot('POST', 'transit/datakey/wrapped/keyturn-payloads', { bits: 256 });
    await expect(codecOf(`a:${String(foreign['data']?.['ciphertext'])}`)).rejects.toMatchObject({
      code: 'KEY_STORE_LOCKED',
    });
    const short = await bao.asRoot('POST', 'transit/datakey/wrapped/keyturn', { bits: 128 });
    await expect(codecOf(`a:${String(short['data']?.['ciphertext'])}`)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
    await writeFile(path.join(directory, 'payload.token'), 'revoked');
    await expect(codecOf(`a:${await newKey()}`)).rejects.toMatchObject({ code: 'KEY_STORE_LOCKED' });
  });
});

describe('the policy', () => {
  test('grants what is needed, and that is found beforehand', async () => {
    expect(await open().findProblems('prod')).toEqual([]);
  });

  test('does not let a missing key be made by encrypting', async () => {
    const other = await bao.transitKey(undefined, 'keyturn-other');
    expect(await open(other).findProblems('prod')).toMatchObject([
      { code: 'KEY_STORE_LOCKED', subject: `${bao.address}/v1/transit/encrypt/keyturn-other` },
    ]);
    expect((await bao.asRoot('GET', 'transit/keys?list=true'))['data']?.['keys']).not.toContain('keyturn-other');
  });
});

describe('re-wrapping', () => {
  test('brings a staged key under the newest version, once; the former version can then be closed', async () => {
    await removeAll();
    const { kid } = await open().stage('prod');
    const first = await open().wrappingKeyId('prod');
    expect(await open().rewrap('prod')).toEqual({ from: first, to: first });
    await bao.asRoot('POST', 'transit/keys/keyturn/rotate', {});
    expect((await open().load('prod', kid)).kid).toBe(kid);

    const [version] = /\d+$/.exec(first ?? '') ?? [];
    const next = `transit/keyturn:v${Number(version) + 1}`;
    expect(await open().rewrap('prod')).toEqual({ from: first, to: next });
    expect(await open().rewrap('prod')).toEqual({ from: next, to: next });
    await bao.asRoot('POST', 'transit/keys/keyturn/config', { min_decryption_version: Number(version) + 1 });
    expect((await open().load('prod', kid)).kid).toBe(kid);
  });

  test('what still needs a closed version is KEY_STORE_LOCKED, in the words of OpenBao', async () => {
    await removeAll();
    const { kid } = await open().stage('prod');
    const { latest_version: latest } = (await bao.asRoot('POST', 'transit/keys/keyturn/rotate', {}))['data'] ?? {};
    await bao.asRoot('POST', 'transit/keys/keyturn/config', { min_decryption_version: latest });
    const locked = {
      code: 'KEY_STORE_LOCKED',
      retryable: false,
      message: expect.stringContaining('disallowed by policy (too old)') as unknown,
    };
    await expect(open().load('prod', kid)).rejects.toMatchObject(locked);
    await expect(open().rewrap('prod')).rejects.toMatchObject(locked);
    await bao.asRoot('POST', 'transit/keys/keyturn/config', { min_decryption_version: Number(latest) - 1 });
    expect((await open().load('prod', kid)).kid).toBe(kid);
  });
});

describe('logging in', () => {
  test('an expired token is KEY_STORE_LOCKED; the renewed one is taken without a restart', async () => {
    await removeAll();
    let token = await bao.token('1s');
    const store = open(await bao.transitKey({ method: 'token', token: async () => token }));
    const { kid } = await store.stage('prod');
    const locked = {
      code: 'KEY_STORE_LOCKED',
      retryable: false,
      message: expect.stringContaining('Renew the token') as unknown,
    };
    await expect
      .poll(() => store.load('prod', kid).catch((error: unknown) => error), { timeout: 10_000 })
      .toMatchObject(locked);
    token = await bao.token();
    expect((await store.load('prod', kid)).kid).toBe(kid);
  });

  test('by AppRole, and again when the token of that login has expired', async () => {
    await removeAll();
    await bao.asRoot('POST', 'sys/auth/approle', { type: 'approle' });
    const role = { token_policies: ['keyturn'], token_no_default_policy: true, token_ttl: '1s', token_max_ttl: '1s' };
    await bao.asRoot('POST', 'auth/approle/role/keyturn', role);
    const role_id = String((await bao.asRoot('GET', 'auth/approle/role/keyturn/role-id'))['data']?.['role_id']);
    const secret_id = String(
      (await bao.asRoot('POST', 'auth/approle/role/keyturn/secret-id', {}))['data']?.['secret_id'],
    );
    let logins = 0;
    const auth: TransitAuth = {
      method: 'login',
      path: 'auth/approle/login',
      credentials: async () => ((logins += 1), { role_id, secret_id }),
    };
    const store = open(await bao.transitKey(auth));
    await writeFile(path.join(directory, 'secret-id'), secret_id, { mode: 0o600 });
    const configured = await openAsConfigured({ appRole: { roleId: role_id, secretId: { file: 'secret-id' } } });
    const { kid } = await configured.stage('prod');
    expect((await store.load('prod', kid)).kid).toBe(kid);
    expect(logins).toBe(1);
    const loadAgain = async () => ((await store.load('prod', kid)).kid === kid ? logins : 0);
    await expect.poll(loadAgain, { timeout: 10_000 }).toBe(2);

    const refused = open(
      await bao.transitKey({ ...auth, credentials: async () => ({ role_id, secret_id: 'SECRET-ID-THAT-IS-WRONG' }) }),
    );
    const error: unknown = await refused.load('prod', kid).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'KEY_STORE_LOCKED', subject: `${bao.address}/v1/auth/approle/login` });
    expect(JSON.stringify(error) + (error as Error).stack).not.toContain('THAT-IS-WRONG');
  });

  test("by the worker's ServiceAccount token", async () => {
    await removeAll();
    const accounts = '/api/v1/namespaces/default/serviceaccounts';
    await server.asAdmin('POST', accounts, { metadata: { name: 'worker' } });
    await server.asAdmin('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      metadata: { name: 'token-reviews-for-openbao' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:auth-delegator' },
      subjects: [{ kind: 'ServiceAccount', name: 'worker', namespace: 'default' }],
    });
    const request = { spec: { audiences: [server.issuer, 'bao'], expirationSeconds: 600 } };
    const { body } = await server.asAdmin('POST', `${accounts}/worker/token`, request);
    const { token: jwt } = (body as { status: { token: string } }).status;
    await bao.asRoot('POST', 'sys/auth/kubernetes', { type: 'kubernetes' });
    await bao.asRoot('POST', 'auth/kubernetes/config', {
      kubernetes_host: server.url,
      kubernetes_ca_cert: await readFile(path.join(directory, 'ca.crt'), 'utf8'),
      disable_local_ca_jwt: true,
    });
    await bao.asRoot('POST', 'auth/kubernetes/role/keyturn', {
      bound_service_account_names: ['worker'],
      bound_service_account_namespaces: ['default'],
      audience: 'bao',
      token_policies: ['keyturn'],
    });
    await writeFile(path.join(directory, 'worker-token'), jwt, { mode: 0o600 });
    const store = await openAsConfigured({ kubernetes: { role: 'keyturn', tokenFile: 'worker-token' } });
    const { kid } = await store.stage('prod');
    expect((await store.load('prod', kid)).kid).toBe(kid);
  });
});

describe('an OpenBao that cannot be asked', () => {
  test('sealed: KEY_STORE_LOCKED, to be tried again; unsealed, all goes on', async () => {
    await removeAll();
    const { kid } = await open().stage('prod');
    await bao.asRoot('PUT', 'sys/seal');
    const locked = { code: 'KEY_STORE_LOCKED', retryable: true, subject: bao.address, remedy: 'Unseal it' };
    await expect(open().load('prod', kid)).rejects.toMatchObject(locked);
    await expect(open().stage('test')).rejects.toMatchObject(locked);
    await expect(open().rewrap('prod')).rejects.toMatchObject(locked);
    expect(await open().findProblems('prod')).toMatchObject([{ code: 'KEY_STORE_LOCKED', subject: bao.address }]);
    expect(await open().wrappingKeyId('test')).toBeUndefined();
    await bao.unseal();
    expect((await open().load('prod', kid)).kid).toBe(kid);
  });

  test('not there: KEY_STORE_UNREACHABLE, to be tried again', async () => {
    const nobodyListens = new TransitClient({
      address: 'https://127.0.0.1:1',
      auth: { method: 'token', token: async () => 'x' },
    });
    const key = new TransitKey({ client: nobodyListens, mount: 'transit', key: 'keyturn' });
    await expect(open(key).stage('unreached')).rejects.toMatchObject({
      code: 'KEY_STORE_UNREACHABLE',
      retryable: true,
      subject: 'https://127.0.0.1:1',
    });
    expect(await open(key).staged('unreached')).toBeUndefined();
  });

  test('with a certificate of another authority: not retried, and no token is shown to it', async () => {
    const address = server.url;
    const strange = new TransitClient({
      address,
      ca: await readFile(bao.caFile, 'utf8'),
      auth: { method: 'token', token: async () => 'x' },
    });
    await expect(
      open(new TransitKey({ client: strange, mount: 'transit', key: 'keyturn' })).stage('unreached'),
    ).rejects.toMatchObject({
      code: 'KEY_STORE_UNREACHABLE',
      retryable: false,
    });
  });

  test('something else that answers: KEY_STORE_LOCKED', async () => {
    const strange = new TransitClient({
      address: server.url,
      ca: await readFile(path.join(directory, 'ca.crt'), 'utf8'),
      auth: { method: 'token', token: async () => 'x' },
    });
    const store = open(new TransitKey({ client: strange, mount: 'transit', key: 'keyturn' }));
    await expect(store.stage('unreached')).rejects.toMatchObject({ code: 'KEY_STORE_LOCKED', retryable: false });
  });
});
