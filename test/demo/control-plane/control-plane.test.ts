// The embedded control plane, with the real programs.
import { createHash, createPublicKey } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { get, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { catalog } from '../../../src/demo/components/catalog.ts';
import { getComponent } from '../../../src/demo/components/get-component.ts';
import {
  type ControlPlane,
  type ControlPlaneOptions,
  startControlPlane,
} from '../../../src/demo/control-plane/control-plane.ts';

let directory: string;
let components: ControlPlaneOptions['components'];
let plane: ControlPlane;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyturn-control-plane-'));
  components = {
    etcd: await getComponent(catalog.etcd),
    kubeApiServer: await getComponent(catalog['kube-apiserver']),
    kubeControllerManager: await getComponent(catalog['kube-controller-manager']),
  };
  plane = await startControlPlane({
    directory: join(directory, 'rsa'),
    components,
    issuer: 'https://issuer.invalid/oidc',
  });
});
afterAll(async () => {
  await plane?.stop();
  await rm(directory, { recursive: true, force: true });
});

async function ask(url: string): Promise<{ status: number; body: string }> {
  const ca = await readFile(plane.caPath);
  return new Promise((resolve, reject) => {
    get(url, { ca, agent: false, signal: AbortSignal.timeout(2000) }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => (body += part));
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body }));
    }).once('error', reject);
  });
}

async function kidOf(publicKeyFile: string): Promise<string> {
  const der = createPublicKey(await readFile(publicKeyFile)).export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('base64url');
}

/** Processes that mention the test's folder in their command line. */
function pidsOf(folder: string): number[] {
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  return pids.filter((pid) => {
    try {
      return pid !== process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder);
    } catch {
      return false;
    }
  });
}

const core = (kubeconfig: string): CoreV1Api => {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  return config.makeApiClient(CoreV1Api);
};
const manifestOf = (node: number): string => join(plane.nodes[node]!.manifestsDirectory, 'kube-apiserver.yaml');
const replaceManifest = async (node: number, text: string): Promise<void> => {
  const temporary = join(plane.nodes[node]!.directory, 'kube-apiserver.yaml.new');
  await writeFile(temporary, text, { mode: 0o600 });
  await rename(temporary, manifestOf(node));
};
const restartCounts = (): number[] => plane.nodes.map((node) => plane.apiServerRestarts(node.name).length);

describe('startControlPlane', () => {
  it('gives three ready API servers that publish the key of sa.pub under the issuer', async () => {
    expect(plane.nodes.map((node) => node.name)).toEqual(['node-1', 'node-2', 'node-3']);
    for (const node of plane.nodes) {
      expect(await ask(`${node.apiServerUrl}/readyz`)).toEqual({ status: 200, body: 'ok' });
    }
    const anonymous = await ask(`${plane.loadBalancerUrl}/openid/v1/jwks`);
    expect(anonymous.status).toBe(403);
    const documents = await readIssuerDocuments();
    expect(documents.map((document) => document.issuer)).toEqual(Array(3).fill('https://issuer.invalid/oidc'));
    const kid = await kidOf(join(plane.nodes[0]!.pkiDirectory, 'sa.pub'));
    expect(documents.map((document) => document.kids)).toEqual([[kid], [kid], [kid]]);
  });

  it('serves through the load balancer', async () => {
    const { items } = await core(plane.adminKubeconfigPath).listNamespace();
    expect(items.map((item) => item.metadata?.name)).toContain('kube-system');
  });

  it('writes private keys for their owner only', async () => {
    for (const node of plane.nodes) {
      expect(statSync(join(node.pkiDirectory, 'sa.key')).mode & 0o777).toBe(0o600);
      expect(statSync(join(node.pkiDirectory, 'sa.pub')).mode & 0o777).toBe(0o644);
    }
  });

  it('has a controller manager leader that mints legacy tokens with the signing key', async () => {
    const api = core(plane.adminKubeconfigPath);
    const [namespace, name] = ['default', 'legacy'];
    await api.createNamespacedServiceAccount({ namespace, body: { metadata: { name } } });
    const annotations = { 'kubernetes.io/service-account.name': name };
    const type = 'kubernetes.io/service-account-token';
    await api.createNamespacedSecret({ namespace, body: { type, metadata: { name, annotations } } });
    const token = await vi.waitFor(async () => {
      const secret = await api.readNamespacedSecret({ namespace, name });
      return Buffer.from(secret.data!['token']!, 'base64').toString();
    }, 30_000);
    const header = JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as { kid: string };
    expect(header.kid).toBe(await kidOf(join(plane.nodes[0]!.pkiDirectory, 'sa.pub')));
  });

  it('ignores a file in manifests/ that starts with a dot, and a manifest that cannot be read', async () => {
    const text = await readFile(manifestOf(0), 'utf8');
    await writeFile(
      join(plane.nodes[0]!.manifestsDirectory, '.kube-apiserver.yaml.swp'),
      text.replace('name: kube-apiserver', 'name: other'),
    );
    await replaceManifest(0, `${text}metadata: {}\n`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect((await ask(`${plane.nodes[0]!.apiServerUrl}/readyz`)).status).toBe(200);
    expect(restartCounts()).toEqual([0, 0, 0]);
    await replaceManifest(0, text);
    await rm(join(plane.nodes[0]!.manifestsDirectory, '.kube-apiserver.yaml.swp'));
  });

  it('restarts only the API server whose manifest was edited, at the same address, and says how long it took', async () => {
    const text = await readFile(manifestOf(1), 'utf8');
    const flag = '    - --service-account-max-token-expiration=24h\n';
    await replaceManifest(1, text.replace('    - --tls-cert-file', `${flag}    - --tls-cert-file`));
    await vi.waitFor(() => expect(restartCounts()).toEqual([0, 1, 0]), { timeout: 60_000, interval: 100 });
    const [restart] = plane.apiServerRestarts('node-2');
    expect(restart!.readyAt - restart!.stoppedAt).toBeGreaterThan(500);
    expect(restart!.readyAt - restart!.stoppedAt).toBeLessThan(60_000);
    expect((await ask(`${plane.nodes[1]!.apiServerUrl}/readyz`)).status).toBe(200);
  });

  it('starts an API server again that was killed', async () => {
    await plane.killApiServer('node-3');
    await vi.waitFor(() => expect(restartCounts()).toEqual([0, 1, 1]), { timeout: 60_000, interval: 100 });
  });

  it('serves through the load balancer while an API server is frozen', async () => {
    await plane.freezeApiServer('node-1');
    try {
      await vi.waitFor(() => core(plane.adminKubeconfigPath).listNamespace(), { timeout: 20_000, interval: 500 });
      await expect(ask(`${plane.nodes[0]!.apiServerUrl}/readyz`)).rejects.toThrow('aborted');
    } finally {
      await plane.thawApiServer('node-1');
    }
    await vi.waitFor(
      async () => expect((await ask(`${plane.nodes[0]!.apiServerUrl}/readyz`)).status).toBe(200),
      20_000,
    );
  });

  it('gives the keyturn user the rights of deploy/rbac.yaml', async () => {
    const api = core(plane.keyturnKubeconfigPath);
    await expect(api.listSecretForAllNamespaces()).resolves.toBeDefined();
    await expect(api.listConfigMapForAllNamespaces()).rejects.toMatchObject({ code: 403 });
  });

  it('starts with an EC key where one is asked for, and leaves no process behind when stopped', async () => {
    const folder = join(directory, 'ec');
    const ec = await startControlPlane({ directory: folder, components, nodes: 1, signingKey: 'ec-p256' });
    expect(await readFile(join(ec.nodes[0]!.pkiDirectory, 'sa.key'), 'utf8')).toMatch(
      /^-----BEGIN EC PRIVATE KEY-----\n/,
    );
    expect(pidsOf(folder)).toHaveLength(3);
    await ec.stop();
    await ec.stop();
    expect(pidsOf(folder)).toEqual([]);
  });

  it('leaves no process behind where it cannot start', async () => {
    const folder = join(directory, 'broken');
    const broken = startControlPlane({ directory: folder, components: { ...components, etcd: '/bin/false' } });
    await expect(broken).rejects.toThrow('etcd-1 ended at once');
    expect(pidsOf(folder)).toEqual([]);
  });

  it('gives up at once, and stops what did start, where a node cannot', async () => {
    const folder = join(directory, 'blocked');
    await mkdir(folder);
    await writeFile(join(folder, 'node-2'), 'a file where a folder should be');
    const blocked = startControlPlane({ directory: folder, components });
    await expect(blocked).rejects.toThrow(`node-2 did not become ready, see ${folder}/node-2/logs`);
    expect(pidsOf(folder)).toEqual([]);
  });
});

interface IssuerDocuments {
  readonly issuer: string;
  readonly kids: readonly string[];
}

/** What each API server says at its own address, asked as admin. */
async function readIssuerDocuments(): Promise<IssuerDocuments[]> {
  return Promise.all(
    plane.nodes.map(async (node) => {
      const config = new KubeConfig();
      config.loadFromFile(plane.adminKubeconfigPath);
      const options: RequestOptions = {};
      await config.applyToHTTPSOptions(options);
      const read = (path: string): Promise<string> =>
        new Promise((resolve, reject) => {
          get(`${node.apiServerUrl}${path}`, options, (response) => {
            let body = '';
            response.setEncoding('utf8').on('data', (part: string) => (body += part));
            response.once('end', () => resolve(body));
          }).once('error', reject);
        });
      const { issuer } = JSON.parse(await read('/.well-known/openid-configuration')) as { issuer: string };
      const { keys } = JSON.parse(await read('/openid/v1/jwks')) as { keys: { kid: string }[] };
      return { issuer, kids: keys.map((key) => key.kid) };
    }),
  );
}
