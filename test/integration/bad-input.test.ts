// Bad input on a real cluster: one clear error with code, object and remedy each, and nothing is changed.
import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmod, cp, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { WorkflowFailedError } from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { KubeClient } from '../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../src/api-servers/kube-config.ts';
import { applyManifest } from '../../src/demo/control-plane/apply-manifest.ts';
import { generateKeyPair } from '../../src/keys/generate.ts';
import { openScene, readPublicJwks, rotate, snapshotNodes, type Scene } from './rotation-scene.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const rbac = fileURLToPath(new URL('../../deploy/rbac.yaml', import.meta.url));

interface ConfigFile {
  clusters: [
    {
      platform: { nodes: [{ manifests: string; apiServer?: string }] };
      issuer: string;
      relyingParties: string[];
      publisher: { container: string };
      keyStore: Record<string, unknown>;
    },
  ];
}
type ClusterFields = ConfigFile['clusters'][0];

interface CliError {
  readonly code: string;
  readonly message: string;
  readonly subject: string;
  readonly remedy: string;
  readonly details: {
    readonly blockers?: readonly { readonly code: string; readonly subject: string; readonly message: string }[];
  };
}

let scene: Scene;
let files = 0;

beforeAll(async () => {
  scene = await openScene({ nodes: 1, policies: { allowSingleApiServer: true } });
});
afterAll(async () => scene?.close());

/** keyturn.yaml with a change, beside the good one so that relative paths mean the same. */
async function configWith(change: (cluster: ClusterFields) => void | Promise<void>): Promise<string> {
  const config = parse(await readFile(scene.configFile, 'utf8')) as ConfigFile;
  await change(config.clusters[0]);
  const file = path.join(scene.directory, `keyturn-${(files += 1)}.yaml`);
  await writeFile(file, stringify(config));
  return file;
}

async function keyturn(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, ...scene.processEnvironment };
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [main, ...words], { env });
    return { code: 0, stdout, stderr };
  } catch (error) {
    return error as { code: number; stdout: string; stderr: string };
  }
}

async function planError(config: string, ...words: string[]): Promise<CliError> {
  const { code, stderr, stdout } = await keyturn('--json', '--config', config, 'plan', ...words);
  expect(code, stdout).toBe(1);
  return (JSON.parse(stderr) as { error: CliError }).error;
}

function bringYourOwn(privateKeyFile: string, publicKeyFile?: string) {
  return { type: 'bring-your-own', privateKeyFile, ...(publicKeyFile === undefined ? {} : { publicKeyFile }) };
}

async function keyFile(name: string, content: string, mode = 0o600): Promise<string> {
  const file = path.join(scene.directory, name);
  await writeFile(file, content);
  await chmod(file, mode);
  return file;
}

const encryptedPem = () =>
  generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' },
  }).privateKey;

describe('plan refuses, and tells the code, the object and the remedy', () => {
  test('the good configuration is accepted', async () => {
    const { code, stdout, stderr } = await keyturn('plan');
    expect(code, stderr).toBe(0);
    expect(stdout).toContain(
      '+    - --service-account-key-file=/etc/kubernetes/pki/sa-NEW-KEY____________________________________.pub',
    );
  });

  test('an unknown cluster, with the names that exist', async () => {
    expect(await planError(scene.configFile, 'nowhere')).toMatchObject({
      code: 'CLUSTER_UNKNOWN',
      subject: 'nowhere',
      remedy: 'Choose one of: demo',
    });
  });

  test('an issuer that is not https', async () => {
    const config = await configWith((cluster) => void (cluster.issuer = 'http://issuer.example'));
    expect(await planError(config)).toMatchObject({ code: 'ISSUER_NOT_HTTPS', subject: 'clusters.demo.issuer' });
  });

  test.for<[string, string, (cluster: ClusterFields) => Promise<void> | void]>([
    [
      'a malformed PEM',
      'KEY_MALFORMED',
      async (cluster) => void (cluster.keyStore = bringYourOwn(await keyFile('malformed.key', 'not a key'))),
    ],
    [
      'an encrypted PEM',
      'KEY_ENCRYPTED',
      async (cluster) => void (cluster.keyStore = bringYourOwn(await keyFile('encrypted.key', encryptedPem()))),
    ],
    [
      'a pair whose halves do not match',
      'KEY_MISMATCHED',
      async (cluster) => {
        const [one, other] = [await generateKeyPair('rsa-2048'), await generateKeyPair('rsa-2048')];
        cluster.keyStore = bringYourOwn(
          await keyFile('one.key', one.privatePem),
          await keyFile('other.pub', other.publicPem, 0o644),
        );
      },
    ],
    [
      'a key file that is not there',
      'FILE_UNREADABLE',
      (cluster) => void (cluster.keyStore = bringYourOwn('/nowhere/new.key')),
    ],
    [
      'a key file that others may read',
      'FILE_TOO_OPEN',
      async (cluster) => {
        const { privatePem } = await generateKeyPair('rsa-2048');
        cluster.keyStore = bringYourOwn(await keyFile('open.key', privatePem, 0o644));
      },
    ],
    [
      'a key whose algorithm a named relying party refuses',
      'KEY_UNSUPPORTED',
      (cluster) => void (cluster.keyStore['keyType'] = 'ec-p256'),
    ],
    [
      'a Blob container that is missing',
      'PUBLISHER_CONTAINER_MISSING',
      (cluster) => void (cluster.publisher.container = cluster.publisher.container.replace(/oidc$/, 'nowhere')),
    ],
    [
      'an issuer that the API servers do not have, and whose documents nobody can read',
      'JWKS_NOT_PUBLIC',
      (cluster) => void (cluster.issuer = cluster.issuer.replace(/oidc$/, 'other')),
    ],
    [
      'an API server that does not answer',
      'API_SERVER_UNREACHABLE',
      (cluster) => void (cluster.platform.nodes[0].apiServer = 'https://127.0.0.1:9'),
    ],
    [
      'a manifest that kubelet could not read either',
      'MANIFEST_UNREADABLE',
      async (cluster) => {
        const broken = path.join(scene.directory, 'broken-manifests');
        await cp(cluster.platform.nodes[0].manifests, broken, { recursive: true });
        await writeFile(path.join(broken, 'kube-apiserver.yaml'), 'kind: Pod\nspec: [');
        cluster.platform.nodes[0].manifests = broken;
      },
    ],
  ])('%s: %s', async ([, code, change]) => {
    const error = await planError(await configWith(change));
    expect(error.code).toBe('PREFLIGHT_REFUSED');
    const blocker = error.details.blockers?.find((each) => each.code === code);
    expect(blocker, error.message).toBeDefined();
    expect(blocker?.subject).not.toBe('');
    expect(error.message).toContain(blocker?.message);
  });

  test('every reason at once', async () => {
    const config = await configWith((cluster) => {
      cluster.keyStore = bringYourOwn('/nowhere/new.key');
      cluster.publisher.container = cluster.publisher.container.replace(/oidc$/, 'nowhere');
      cluster.platform.nodes[0].apiServer = 'https://127.0.0.1:9';
    });
    const codes = (await planError(config)).details.blockers?.map(({ code }) => code);
    expect(codes).toEqual(
      expect.arrayContaining(['FILE_UNREADABLE', 'PUBLISHER_CONTAINER_MISSING', 'API_SERVER_UNREACHABLE']),
    );
  });

  test('missing RBAC, by the right that is missing', async () => {
    const admin = new KubeClient(await loadKubeConfig(scene.controlPlane.adminKubeconfigPath));
    const resource = 'clusterrolebindings';
    const collection = `/apis/rbac.authorization.k8s.io/v1/${resource}`;
    const { body } = await admin.call({ verb: 'list', path: collection, resource });
    const { items } = body as { items: { metadata: { name: string } }[] };
    const ours = items.filter(({ metadata }) => metadata.name.startsWith('keyturn'));
    expect(ours.length).toBeGreaterThan(0);
    for (const { metadata } of ours)
      await admin.call({ verb: 'delete', path: `${collection}/${metadata.name}`, resource });
    try {
      const { details, message } = await planError(scene.configFile);
      expect(details.blockers?.map(({ code }) => code)).toContain('API_SERVER_FORBIDDEN');
      expect(message).toContain('deploy/rbac.yaml');
    } finally {
      await applyManifest(scene.controlPlane.adminKubeconfigPath, rbac);
    }
  });
});

test('a workflow that Preflight refuses fails with every reason, changes nothing and holds nothing', async () => {
  const before = await snapshotNodes(scene);
  const jwks = await readPublicJwks(scene);
  const worker = await scene.startWorker();
  await scene.blobStore.stop();
  try {
    const handle = await rotate(scene, { allowSingleApiServer: false });
    const error = await handle.result().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(WorkflowFailedError);
    const cause = (error as WorkflowFailedError).cause as ApplicationFailure;
    expect(cause.type).toBe('PREFLIGHT_REFUSED');
    expect(cause.message).toContain('one API server only');
    expect(cause.message).toContain('openid/v1/jwks');

    const { code, stderr } = await keyturn('--json', 'status', '--workflow-id', handle.workflowId);
    expect(code).toBe(1);
    const told = (JSON.parse(stderr) as { error: CliError & { details: { code: string } } }).error;
    expect(told).toMatchObject({ code: 'ROTATION_FAILED', details: { code: 'PREFLIGHT_REFUSED' } });
    expect(told.message).toContain('one API server only');
  } finally {
    await scene.blobStore.start();
  }
  expect(await snapshotNodes(scene)).toEqual(before);
  expect(await readPublicJwks(scene)).toEqual(jwks);

  // Nothing is held: the next one starts at once, and completes.
  expect(await (await rotate(scene)).result()).toMatchObject({ outcome: 'completed' });
  await worker.stop(15_000);
});
