// Staged keys in Secrets of a real API server, under the RBAC of deploy/rbac-key-store.yaml, sealed with a supplied key.
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KubeClient } from '../../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../../src/api-servers/kube-config.ts';
import { applyManifest } from '../../../src/demo/control-plane/apply-manifest.ts';
import { WithFormerWrappers } from '../../../src/key-stores/former-wrappers.ts';
import {
  KubernetesSecretKeyStore,
  type KubernetesSecretKeyStoreOptions,
} from '../../../src/key-stores/kubernetes-secret.ts';
import { SuppliedKey } from '../../../src/key-stores/supplied-key.ts';
import { keyStoreContract } from '../../contract/key-store.ts';
import { meanwhile } from '../../fakes/meanwhile.ts';
import { filesWithPrivateKey, holdsPrivateKey } from '../../fixtures/private-key-search.ts';
import { startSingleApiServer, type SingleApiServer, type User } from '../../fixtures/single-api-server.ts';

/** From deploy/rbac-key-store.yaml's comment on names. */
const PROD = '/api/v1/namespaces/keyturn-keys/secrets/keyturn-prod-6754af9632a2745e';

interface SecretObject {
  metadata: { annotations: Record<string, string>; [field: string]: unknown };
  data: Record<string, string>;
  [field: string]: unknown;
}

let server: SingleApiServer;
let directory: string;
const clients: Partial<Record<User, KubeClient>> = {};
beforeAll(async () => {
  server = await startSingleApiServer();
  const admin = await server.kubeConfig('admin');
  directory = path.dirname(admin);
  await applyManifest(admin, 'deploy/rbac-key-store.yaml');
  for (const user of ['admin', 'keyturn', 'nobody'] as const) {
    clients[user] = new KubeClient(await loadKubeConfig(await server.kubeConfig(user)));
  }
  await writeKey('wrapping.key');
});
afterAll(() => server?.stop());

async function writeKey(name: string): Promise<void> {
  await writeFile(path.join(directory, name), randomBytes(32).toString('base64'), { mode: 0o600 });
}

interface StoreOptions {
  readonly user?: User;
  readonly namespace?: string;
  readonly wrappingKey?: string;
  readonly previousKeys?: readonly string[];
}

function open(options: StoreOptions = {}): KubernetesSecretKeyStore {
  return new KubernetesSecretKeyStore(optionsOf(options));
}

function optionsOf(options: StoreOptions): KubernetesSecretKeyStoreOptions {
  const { user = 'keyturn', namespace = 'keyturn-keys', wrappingKey = 'wrapping.key', previousKeys = [] } = options;
  const supplied = (name: string) => new SuppliedKey({ file: path.join(directory, name) });
  return {
    client: clients[user]!,
    namespace,
    wrapper: wrappingKey === 'none' ? null : new WithFormerWrappers(supplied(wrappingKey), previousKeys.map(supplied)),
    keyType: 'ec-p256',
    identity: '7@worker-0',
  };
}

async function secretOf(secretPath = PROD): Promise<SecretObject> {
  return (await server.asAdmin('GET', secretPath)).body as SecretObject;
}

async function removeAll(): Promise<void> {
  const collection = path.dirname(PROD);
  const { items } = (await server.asAdmin('GET', collection)).body as { items: { metadata: { name: string } }[] };
  for (const { metadata } of items) await server.asAdmin('DELETE', `${collection}/${metadata.name}`);
}

keyStoreContract('kubernetes-secret with a supplied key', async () => {
  await removeAll();
  return { open: () => open(), keys: 'made' };
});
keyStoreContract('kubernetes-secret in the clear', async () => {
  await removeAll();
  return { open: () => open({ wrappingKey: 'none' }), keys: 'made' };
});

describe('the Secret', () => {
  test('tells whose it is, is immutable, and has a type and labels of our own', async () => {
    await removeAll();
    const { kid } = await open().stage('prod', 'rotation-7');
    const { type, immutable, metadata, data } = await secretOf();
    expect({ type, immutable, entries: Object.keys(data) }).toEqual({
      type: 'keyturn.dev/signing-key',
      immutable: true,
      entries: ['key.jwe'],
    });
    expect(metadata['labels']).toEqual({
      'app.kubernetes.io/managed-by': 'keyturn',
      'app.kubernetes.io/component': 'staged-key',
      'keyturn.dev/cluster': 'prod-6754af9632a2745e',
    });
    expect(metadata.annotations).toEqual({
      'keyturn.dev/cluster': 'prod',
      'keyturn.dev/kid': kid,
      'keyturn.dev/rotation': 'rotation-7',
      'keyturn.dev/created-by': '7@worker-0',
      'keyturn.dev/wrapping-key': await open().wrappingKeyId('prod'),
      'keyturn.dev/wrapped-data-key': expect.stringMatching(/^eyJ/) as unknown,
    });
  });

  test.each(['../../etc/passwd', '/abs', '..', '', 'a/b', 'a\0b', 'x'.repeat(1000), 'Ä', 'UPPER'])(
    'has a name that Kubernetes takes, for a cluster named %j',
    async (name) => {
      const { kid } = await open().stage(name);
      expect((await open().load(name, kid)).kid).toBe(kid);
      await open().discard(name, kid);
      expect(await open().staged(name)).toBeUndefined();
    },
  );

  test('holds the private key nowhere in the clear: not in the API, not in etcd, not in a log', async () => {
    await removeAll();
    const { kid } = await open().stage('prod');
    const { privatePem } = await open().load('prod', kid);
    expect(holdsPrivateKey(JSON.stringify(await secretOf()), privatePem)).toBe(false);
    expect(await filesWithPrivateKey(directory, privatePem)).toEqual([]);

    // Where the user chose `none` it is there: this shows that it would be found.
    const clear = open({ wrappingKey: 'none' });
    const inTheClear = await clear.load('test', (await clear.stage('test')).kid);
    const secrets = (await server.asAdmin('GET', '/api/v1/namespaces/keyturn-keys/secrets')).body;
    expect(holdsPrivateKey(JSON.stringify(secrets), inTheClear.privatePem)).toBe(true);
    expect((await filesWithPrivateKey(directory, inTheClear.privatePem)).join()).toMatch(/etcd\/member\/(wal|snap)\//);
  });
});

describe('refuses', () => {
  test('a Secret that was changed, without quoting it', async () => {
    const tampered: readonly [string, (secret: SecretObject) => void][] = [
      ['data', ({ data }) => (data['key.jwe'] = changed(data['key.jwe']!))],
      ['data key', ({ metadata: { annotations } }) => changeAnnotation(annotations, 'keyturn.dev/wrapped-data-key')],
      ['no data key', ({ metadata: { annotations } }) => delete annotations['keyturn.dev/wrapped-data-key']],
      ['type', (secret) => (secret['type'] = 'Opaque')],
      ['no data', (secret) => (secret.data = {})],
    ];
    for (const [what, tamper] of tampered) {
      await removeAll();
      const { kid } = await open().stage('prod');
      const { privatePem } = await open().load('prod', kid);
      const secret = await secretOf();
      tamper(secret);
      // Its data cannot be changed by anybody: who tampers deletes it and makes another.
      await server.asAdmin('DELETE', PROD);
      delete secret.metadata['uid'];
      delete secret.metadata['resourceVersion'];
      expect((await server.asAdmin('POST', path.dirname(PROD), secret)).status, what).toBe(201);
      const uses = [
        () => open().staged('prod'),
        () => open().stage('prod'),
        () => open().load('prod', kid),
        () => open().discard('prod', kid),
      ];
      for (const use of uses) {
        const error: unknown = await use().catch((reason: unknown) => reason);
        expect(error, what).toMatchObject({ code: 'KEY_MALFORMED', cause: undefined, retryable: false });
        expect(holdsPrivateKey(JSON.stringify(error) + (error as Error).stack, privatePem)).toBe(false);
      }
    }
  });

  test("another cluster's Secret in its place", async () => {
    await removeAll();
    await open().stage('test');
    const other = await secretOf('/api/v1/namespaces/keyturn-keys/secrets/keyturn-test-9f86d081884c7d65');
    const { annotations } = other.metadata;
    const metadata = { name: path.basename(PROD), annotations: { ...annotations, 'keyturn.dev/cluster': 'prod' } };
    expect((await server.asAdmin('POST', path.dirname(PROD), { ...other, metadata })).status).toBe(201);
    await expect(open().staged('prod')).rejects.toMatchObject({
      code: 'KEY_MALFORMED',
      message: expect.stringContaining('another cluster') as unknown,
    });
  });

  test('another wrapping key, with both ids', async () => {
    await removeAll();
    const { kid } = await open().stage('prod');
    await writeKey('other.key');
    const other = open({ wrappingKey: 'other.key' });
    const uses = [
      () => other.staged('prod'),
      () => other.stage('prod'),
      () => other.load('prod', kid),
      () => other.rewrap('prod'),
    ];
    for (const use of uses) {
      await expect(use()).rejects.toMatchObject({
        code: 'KEY_STORE_LOCKED',
        message: expect.stringMatching(/wrapping key [\w-]{12}, not with the configured [\w-]{12}/) as unknown,
      });
    }
  });

  test('a key in the clear where encryption is configured, and the other way round', async () => {
    await removeAll();
    const { kid } = await open({ wrappingKey: 'none' }).stage('prod');
    const locked = { code: 'KEY_STORE_LOCKED', subject: 'keyturn-keys/keyturn-prod-6754af9632a2745e' };
    await expect(open().stage('prod')).rejects.toMatchObject(locked);
    await expect(open().rewrap('prod')).rejects.toMatchObject(locked);
    await open({ wrappingKey: 'none' }).discard('prod', kid);
    await open().stage('prod');
    await expect(open({ wrappingKey: 'none' }).staged('prod')).rejects.toMatchObject(locked);
  });

  test('missing rights, with verb and object; beforehand all of them at once', async () => {
    await removeAll();
    const nobody = open({ user: 'nobody' });
    await expect(nobody.stage('prod')).rejects.toMatchObject({
      code: 'API_SERVER_FORBIDDEN',
      message: expect.stringMatching(
        /may not get secrets keyturn-keys\/keyturn-prod-6754af9632a2745e .*deploy\/rbac-key-store\.yaml/,
      ) as unknown,
    });
    const missing = await nobody.findProblems('prod');
    expect(missing.map(({ subject }) => subject)).toEqual([
      'create secrets in namespace keyturn-keys',
      'get secrets keyturn-keys/keyturn-prod-6754af9632a2745e',
      'update secrets keyturn-keys/keyturn-prod-6754af9632a2745e',
      'delete secrets keyturn-keys/keyturn-prod-6754af9632a2745e',
    ]);
    expect(missing[0]?.message).toContain('Apply deploy/rbac-key-store.yaml');
    expect(await open().findProblems('prod')).toEqual([]);
  });

  test('a namespace that is not there', async () => {
    await expect(open({ user: 'admin', namespace: 'none-such' }).stage('prod')).rejects.toMatchObject({
      code: 'API_SERVER_UNEXPECTED',
      subject: 'none-such',
      remedy: 'Apply deploy/rbac-key-store.yaml',
    });
  });
});

describe('under a Role that names the Secret', () => {
  test('everything works, for that cluster alone', async () => {
    await removeAll();
    const rolePath = '/apis/rbac.authorization.k8s.io/v1/namespaces/keyturn-keys/roles/keyturn-key-store';
    const role = (await server.asAdmin('GET', rolePath)).body as { rules: { verbs: string[] }[] };
    const narrowed = role.rules.map((rule) =>
      rule.verbs.includes('get') ? { ...rule, resourceNames: [path.basename(PROD)] } : rule,
    );
    await server.asAdmin('PUT', rolePath, { ...role, rules: narrowed });
    // Authorizers learn of it by a watch.
    await expect.poll(async () => (await open().findProblems('test')).length).toBe(3);
    expect(await open().findProblems('prod')).toEqual([]);
    const { kid } = await open().stage('prod');
    await writeKey('new.key');
    const both = open({ wrappingKey: 'new.key', previousKeys: ['wrapping.key'] });
    expect((await both.rewrap('prod'))?.to).toBe(await both.wrappingKeyId('prod'));
    await both.discard('prod', kid);
    await expect(open().stage('test')).rejects.toMatchObject({ code: 'API_SERVER_FORBIDDEN' });
    await server.asAdmin('PUT', rolePath, { ...role, metadata: { name: 'keyturn-key-store' } });
    await expect.poll(() => open().findProblems('test')).toEqual([]);
  });
});

describe('what another does between reading and writing', () => {
  /** Discards the key and stages the next, while the store under test has read the former. */
  function openOvertaken(kid: string, wrappingKey: string, tell: (next: string) => void): KubernetesSecretKeyStore {
    const { wrapper, ...rest } = optionsOf({ wrappingKey, previousKeys: ['wrapping.key'] });
    const overtake = async () => {
      await open().discard('prod', kid);
      tell((await open().stage('prod')).kid);
    };
    return new KubernetesSecretKeyStore({ ...rest, wrapper: meanwhile(wrapper!, overtake) });
  }

  test.each(['discard', 'rewrap'] as const)('%s leaves the next key alone', async (change) => {
    await removeAll();
    await writeKey('race.key');
    const { kid } = await open().stage('prod');
    let next = '';
    const store = openOvertaken(kid, 'race.key', (staged) => (next = staged));
    await (change === 'discard' ? store.discard('prod', kid) : store.rewrap('prod'));
    expect(next).not.toBe('');
    expect((await store.staged('prod'))?.kid).toBe(next);
  });
});

describe('a change of the wrapping key', () => {
  test('re-wraps what is staged, beside a rotation that reads it; the data stays', async () => {
    await removeAll();
    await writeKey('next.key');
    const { kid } = await open().stage('prod');
    const before = await secretOf();
    const both = () => open({ wrappingKey: 'next.key', previousKeys: ['wrapping.key'] });
    const [first, second] = await Promise.all([both().rewrap('prod'), both().rewrap('prod'), both().load('prod', kid)]);
    const after = await secretOf();
    expect(after.metadata.annotations['keyturn.dev/wrapping-key']).toBe(first?.to);
    expect(second?.to).toBe(first?.to);
    expect(after.data).toEqual(before.data);
    expect((await open({ wrappingKey: 'next.key' }).load('prod', kid)).kid).toBe(kid);

    expect(await both().rewrap('prod')).toEqual({ from: first?.to, to: first?.to });
    expect((await secretOf()).metadata['resourceVersion']).toBe(after.metadata['resourceVersion']);
  });

  test('a key that is discarded while it is re-wrapped stays discarded', async () => {
    const both = () => open({ wrappingKey: 'next.key', previousKeys: ['wrapping.key'] });
    for (let round = 0; round < 10; round += 1) {
      const { kid } = await open().stage('test');
      await Promise.all([both().rewrap('test'), both().discard('test', kid)]);
      expect(await both().staged('test')).toBeUndefined();
    }
  });
});

function changed(text: string): string {
  const middle = Math.floor(text.length / 2);
  return text.slice(0, middle) + (text[middle] === 'A' ? 'B' : 'A') + text.slice(middle + 1);
}

function changeAnnotation(annotations: Record<string, string>, name: string): void {
  annotations[name] = changed(annotations[name]!);
}
