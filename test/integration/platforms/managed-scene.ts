// What rotations and migrations need that a platform carries out: Shoots on a real gardener-apiserver and gkectl's stand-in, all of which end at the
// same real API server; Temporal, the worker and its configuration.
import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:https';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { stringify } from 'yaml';
import { createCertificateAuthority } from '../../../src/demo/certificate-authority.ts';
import { catalog } from '../../../src/demo/components/catalog.ts';
import { getComponent } from '../../../src/demo/components/get-component.ts';
import { applyManifest, applyYaml } from '../../../src/demo/control-plane/apply-manifest.ts';
import { startGuardedProcess } from '../../../src/demo/guarded-process.ts';
import { startTemporalServer } from '../../../src/demo/temporal-server.ts';
import { startGarden, type Garden } from '../../fixtures/garden.ts';
import { installGkectl, type GkectlStandIn } from '../../fixtures/gkectl-stand-in.ts';
import { startSingleApiServer, type SingleApiServer } from '../../fixtures/single-api-server.ts';

const main = path.resolve('src/cli/main.ts');

/** Of every cluster: the waits of seconds. */
export const POLICIES = {
  relyingPartyCache: '2s',
  drain: { policy: 'fixed', duration: '3s', allowShorter: 'test' },
  allowSingleApiServer: true,
  probeInterval: '250ms',
  probeReload: '2s',
};

/** Of a cluster in keyturn.yaml, besides its name and its platform. */
export interface ClusterSettings {
  readonly publisher: object;
  readonly issuer?: string;
  readonly policies?: object;
}

/** By name, for the issuer at which the scene's documents lie. */
export type ClusterPlans = (issuer: string) => {
  /** Each with a Shoot of its name. */
  readonly shoots?: Readonly<Record<string, ClusterSettings>>;
  readonly gkectl?: Readonly<Record<string, ClusterSettings>>;
};

interface Parts {
  readonly directory: string;
  readonly issuer: string;
  readonly garden: Garden;
  readonly cluster: SingleApiServer;
  readonly gkectl: GkectlStandIn;
}

export class ManagedScene {
  readonly #cleanUp: (() => Promise<unknown>)[] = [];
  #parts!: Parts;
  #environment: Readonly<Record<string, string>> = {};
  #manager: { signal(signal: NodeJS.Signals): Promise<void> } | undefined;
  #client!: Client;

  static async open(plans: ClusterPlans): Promise<ManagedScene> {
    const scene = new ManagedScene();
    try {
      await scene.#start(plans);
    } catch (error) {
      await scene.close();
      throw error;
    }
    return scene;
  }

  /** With keyturn.yaml, and the public documents below `www`. */
  get directory(): string {
    return this.#parts.directory;
  }

  get issuer(): string {
    return this.#parts.issuer;
  }

  get garden(): Garden {
    return this.#parts.garden;
  }

  get cluster(): SingleApiServer {
    return this.#parts.cluster;
  }

  get gkectl(): GkectlStandIn {
    return this.#parts.gkectl;
  }

  get client(): Client {
    return this.#client;
  }

  /** The cluster's API server and controller manager, started anew with these keys. */
  async restart(signer: 1 | 2, trusts: readonly (1 | 2)[], issuers = [this.issuer]): Promise<void> {
    await this.#manager?.signal('SIGKILL');
    await this.cluster.signal('SIGKILL');
    await this.cluster.start(signer, { trusts, issuers });
    this.#manager = await this.cluster.startControllerManager({ signer });
  }

  /** What the command prints, on both outputs where it fails. */
  async keyturn(...words: string[]): Promise<string> {
    const env = { ...process.env, ...this.#environment };
    try {
      return (await promisify(execFile)(process.execPath, [main, ...words], { env })).stdout;
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      return stdout + stderr;
    }
  }

  async clusterJwks(): Promise<string> {
    return JSON.stringify((await this.cluster.asAdmin('GET', '/openid/v1/jwks')).body);
  }

  async close(): Promise<void> {
    for (const end of this.#cleanUp.splice(0).toReversed()) await end();
  }

  async #start(plans: ClusterPlans): Promise<void> {
    const directory = await mkdtemp(path.join(tmpdir(), 'keyturn-managed-'));
    this.#cleanUp.push(() => rm(directory, { recursive: true, force: true }));
    const documents = await serveDocuments(directory);
    this.#cleanUp.push(() => new Promise((resolve) => documents.close(resolve)));
    const issuer = `https://127.0.0.1:${(documents.address() as AddressInfo).port}`;
    const [garden, cluster] = await Promise.all([startGarden(), startSingleApiServer()]);
    this.#cleanUp.push(
      () => garden.stop(),
      () => cluster.stop(),
    );
    this.#parts = { directory, issuer, garden, cluster, gkectl: await installGkectl(directory) };
    await this.restart(1, [1]);
    await mkdir(path.join(directory, 'www/openid/v1'), { recursive: true });
    await writeFile(path.join(directory, 'www/openid/v1/jwks'), await this.clusterJwks());

    await applyManifest(await cluster.kubeConfig('admin'), 'deploy/rbac.yaml');
    const { shoots = {}, gkectl = {} } = plans(issuer);
    for (const shoot of Object.keys(shoots)) await this.#createShoot(shoot);
    await this.#startWorker(await this.#writeConfig(shoots, gkectl));
  }

  /** With Keyturn's rights on it. */
  async #createShoot(shoot: string): Promise<void> {
    const { garden, issuer } = this.#parts;
    await garden.createShoot(shoot, { serviceAccountConfig: { issuer } });
    const rights = (await readFile('deploy/rbac-gardener.yaml', 'utf8')).replaceAll('garden-PROJECT', garden.namespace);
    await applyYaml(await garden.kube.kubeConfig('admin'), rights.replaceAll('SHOOT', shoot));
  }

  async #writeConfig(
    shoots: Readonly<Record<string, ClusterSettings>>,
    gkectl: Readonly<Record<string, ClusterSettings>>,
  ): Promise<string> {
    const { directory, issuer, garden, cluster } = this.#parts;
    const access = { kubeconfig: await cluster.kubeConfig('keyturn') };
    const gardenAccess = { kubeconfig: await garden.kubeConfig('keyturn'), namespace: garden.namespace };
    const common = { issuer, issuerCaFile: 'issuer-ca.crt', policies: POLICIES };
    const onGardener = (shoot: string) => ({
      type: 'gardener',
      ...access,
      garden: { ...gardenAccess, shoot },
      pollInterval: '200ms',
    });
    const onGkectl = {
      type: 'gkectl',
      ...access,
      command: this.gkectl.command,
      userClusterConfig: 'user-cluster.yaml',
      adminKubeconfig: 'admin.kubeconfig',
      apiServers: [{ name: 'cp-1', url: cluster.url }],
      pollInterval: '500ms',
    };
    const clusters = [
      ...Object.entries(shoots).map(([name, settings]) => ({
        name,
        platform: onGardener(name),
        ...common,
        ...settings,
      })),
      ...Object.entries(gkectl).map(([name, settings]) => ({ name, platform: onGkectl, ...common, ...settings })),
    ];
    const file = path.join(directory, 'keyturn.yaml');
    await writeFile(file, stringify({ auditDirectory: 'audit', clusters }));
    await writeFile(path.join(directory, 'user-cluster.yaml'), 'kind: UserCluster\ngkeOnPremVersion: 1.32.100-gke.1\n');
    return file;
  }

  async #startWorker(configFile: string): Promise<void> {
    const { directory } = this.#parts;
    const temporal = await startTemporalServer({
      program: await getComponent(catalog.temporal),
      directory: path.join(directory, 'temporal'),
    });
    this.#cleanUp.push(() => temporal.stop());
    const connection = await Connection.connect({ address: temporal.address });
    this.#cleanUp.push(() => connection.close());
    this.#client = new Client({ connection });
    this.#environment = {
      TEMPORAL_ADDRESS: temporal.address,
      TEMPORAL_NAMESPACE: 'default',
      TEMPORAL_CONFIG_FILE: path.join(directory, 'temporal.toml'),
      KEYTURN_CONFIG: configFile,
    };
    const logFile = path.join(directory, 'worker.log');
    const environment = this.#environment;
    const worker = await startGuardedProcess(process.execPath, [main, 'worker'], { logFile, environment });
    this.#cleanUp.push(() => worker.stop(15_000));
  }
}

/** The issuer's documents, from a folder; API servers want their issuer to be https. */
async function serveDocuments(directory: string): Promise<Server> {
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
