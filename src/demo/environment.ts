// Everything around Keyturn on one machine: Temporal, an object store with the issuer's documents, and an HA control plane.
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import type { KeyType } from '../key-stores/port.ts';
import { renderAzwiJwks } from '../cli/jwks.ts';
import { discoveryDocument } from '../jwks/discovery.ts';
import { AzureBlobPublisher } from '../publishers/azure-blob.ts';
import { startBlobStore, type BlobStore } from './blob-store.ts';
import { catalog } from './components/catalog.ts';
import type { OnProgress } from './components/component.ts';
import { getComponent } from './components/get-component.ts';
import { applyManifest } from './control-plane/apply-manifest.ts';
import {
  startControlPlane,
  type ControlPlane,
  type ControlPlaneOptions,
  type EmbeddedControlPlane,
} from './control-plane/control-plane.ts';
import { startGuardedProcess, type GuardedProcess } from './guarded-process.ts';
import { startKubeletBed, type KubeletBed, type KubeletBedOptions } from './kubelet/kubelet-bed.ts';
import { type KeyturnConfigOptions, nodeAccessOf, writeKeyturnConfig } from './keyturn-config.ts';
import { startTemporalServer, type TemporalServer } from './temporal-server.ts';

export interface EnvironmentOptions extends KeyturnConfigOptions {
  /** Everything lies below it; must be empty or missing. */
  readonly directory: string;
  /**
   * Real nodes with real kubelets (Linux, root) in place of the embedded control plane; settings of theirs, or `true` for the defaults.
   */
  readonly kubelet?: true | Pick<KubeletBedOptions, 'apiServerGracePeriodSeconds' | 'fileCheckFrequencySeconds'>;
  readonly nodes?: number;
  /** Of the embedded control plane. Default 1. */
  readonly etcdMembers?: number;
  readonly signingKey?: KeyType;
  /** Another issuer than the object store, whose documents are then the business of whoever names it; see `ControlPlaneOptions`. */
  readonly issuer?: string;
  readonly apiServerFlags?: ControlPlaneOptions['apiServerFlags'];
  /** Puts something before the object store: everybody uses the address of what this gives. Default: nothing. */
  readonly blobStoreFront?: (blobStore: BlobStore) => Promise<BlobStore>;
  /** Of the Temporal server. Default `error`. */
  readonly temporalLogLevel?: 'debug' | 'error';
  readonly onProgress?: OnProgress;
}

export interface Environment {
  readonly controlPlane: ControlPlane;
  /** The same with what only real nodes can do; undefined without `kubelet`. */
  readonly bed: KubeletBed | undefined;
  /** The same with what only processes of ours can do; undefined with `kubelet`. */
  readonly embedded: EmbeddedControlPlane | undefined;
  readonly blobStore: BlobStore;
  readonly temporal: TemporalServer;
  readonly client: Client;
  readonly cluster: string;
  readonly configFile: string;
  readonly auditDirectory: string;
  /** For processes that use Temporal: the worker and the CLI. */
  readonly processEnvironment: Readonly<Record<string, string>>;
  /**
   * The worker as its own process, as users run it; settles when it serves the task queue. Default namespace: `default`.
   * @param more environment variables, which win over ours
   */
  startWorker(namespace?: string, more?: Readonly<Record<string, string>>): Promise<GuardedProcess>;
  /** Ends every process and settles when they are gone. The files stay. */
  stop(): Promise<void>;
}

const mainScript = fileURLToPath(new URL('../cli/main.ts', import.meta.url));
const podAccessRights = fileURLToPath(new URL('../../deploy/rbac-pod-access.yaml', import.meta.url));
/** It bundles the workflow code first, which takes a minute where the machine has other things to do. */
const WORKER_START_MS = 180_000;
const WORKER_STOP_MS = 15_000;

/** @throws COMPONENT_UNAVAILABLE, or Error with what did not come up; nothing is left running */
export async function startEnvironment(options: EnvironmentOptions): Promise<Environment> {
  const { directory, onProgress = () => undefined } = options;
  const cleanUp: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const end of cleanUp.splice(0).toReversed()) await end();
  };
  try {
    await mkdir(directory, { recursive: true });
    const temporalProgram = await getComponent(catalog.temporal, { onProgress });

    onProgress('Starting Temporal and the object store');
    const store = await startBlobStore({ directory: path.join(directory, 'blob-store') });
    cleanUp.push(() => store.stop());
    const blobStore = (await options.blobStoreFront?.(store)) ?? store;
    const temporal = await startTemporalServer({
      program: temporalProgram,
      directory: path.join(directory, 'temporal'),
      databasePath: path.join(directory, 'temporal', 'temporal.db'),
      ...(options.temporalLogLevel === undefined ? {} : { logLevel: options.temporalLogLevel }),
    });
    cleanUp.push(() => temporal.stop());
    const connection = await Connection.connect({ address: temporal.address });
    cleanUp.push(() => connection.close());
    const bed = options.kubelet === undefined ? undefined : await startRealNodes(options, blobStore.containerUrl);
    const embedded = bed === undefined ? await startEmbedded(options, blobStore.containerUrl) : undefined;
    const controlPlane: ControlPlane | undefined = bed ?? embedded;
    if (controlPlane === undefined) throw new Error('an environment needs a control plane');
    cleanUp.push(() => controlPlane.stop());
    if (nodeAccessOf(options, bed) === 'pod') await applyManifest(controlPlane.adminKubeconfigPath, podAccessRights);
    await publishFirstDocuments(blobStore, controlPlane);

    const configFile = path.join(directory, 'keyturn.yaml');
    const cluster = await writeKeyturnConfig(configFile, options, blobStore, controlPlane, bed);
    const processEnvironment = {
      TEMPORAL_ADDRESS: temporal.address,
      TEMPORAL_NAMESPACE: 'default',
      // Missing on purpose: the user's own profiles must not reach into the demo.
      TEMPORAL_CONFIG_FILE: path.join(directory, 'temporal.toml'),
      KEYTURN_CONFIG: configFile,
      DEMO_BLOB_CONNECTION: blobStore.connectionString,
    };
    return {
      controlPlane,
      bed,
      embedded,
      blobStore,
      temporal,
      client: new Client({ connection }),
      cluster,
      configFile,
      auditDirectory: path.join(directory, 'audit'),
      processEnvironment,
      startWorker: async (namespace = 'default', more = {}) => {
        const logFile = path.join(directory, 'worker.log');
        const worker = await startGuardedProcess(process.execPath, [mainScript, 'worker'], {
          logFile,
          environment: { ...processEnvironment, TEMPORAL_NAMESPACE: namespace, ...more },
        });
        cleanUp.push(() => worker.stop(WORKER_STOP_MS));
        await waitUntilPolling(connection, namespace, worker, logFile);
        return worker;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startEmbedded(options: EnvironmentOptions, issuer: string): Promise<EmbeddedControlPlane> {
  const { onProgress = () => undefined } = options;
  const find = (name: keyof typeof catalog) => getComponent(catalog[name], { onProgress });
  const components = {
    etcd: await find('etcd'),
    kubeApiServer: await find('kube-apiserver'),
    kubeControllerManager: await find('kube-controller-manager'),
  };
  const etcdMembers = options.etcdMembers === undefined ? {} : { etcdMembers: options.etcdMembers };
  return startControlPlane({ ...controlPlaneOptions(options, issuer), ...etcdMembers, components });
}

async function startRealNodes(options: EnvironmentOptions, issuer: string): Promise<KubeletBed> {
  const settings = options.kubelet === true ? {} : options.kubelet;
  return startKubeletBed({ ...controlPlaneOptions(options, issuer), ...settings });
}

/** What both kinds of control plane are told. */
function controlPlaneOptions(options: EnvironmentOptions, objectStore: string) {
  const { directory, issuer = objectStore, nodes, signingKey, apiServerFlags, onProgress } = options;
  return {
    directory: path.join(directory, 'control-plane'),
    issuer,
    ...(nodes === undefined ? {} : { nodes }),
    ...(signingKey === undefined ? {} : { signingKey }),
    ...(apiServerFlags === undefined ? {} : { apiServerFlags }),
    ...(onProgress === undefined ? {} : { onProgress }),
  };
}

/** @throws Error with the log's end where the worker ends instead */
async function waitUntilPolling(
  connection: Connection,
  namespace: string,
  worker: GuardedProcess,
  logFile: string,
): Promise<void> {
  const isServed = async () => {
    const { pollers } = await connection.workflowService.describeTaskQueue({
      namespace,
      taskQueue: { name: 'keyturn' },
    });
    return (pollers ?? []).some(({ identity }) => identity?.startsWith(`${worker.pid}@`));
  };
  let hasEnded = false;
  void worker.exited.then(() => (hasEnded = true));
  for (const giveUpAt = Date.now() + WORKER_START_MS; Date.now() < giveUpAt && !hasEnded; await sleep(200)) {
    if (await isServed()) return;
  }
  const log = (await readFile(logFile, 'utf8')).slice(-2000);
  throw new Error(`The worker ${hasEnded ? 'ended' : 'does not poll'}:\n${log}`);
}

/** What the cluster's owner published when the cluster was made: the discovery document, and the JWKS with the first key. */
async function publishFirstDocuments(blobStore: BlobStore, { nodes, issuer }: ControlPlane): Promise<void> {
  const [node] = nodes;
  if (node === undefined) throw new Error('a control plane needs a node');
  const keyFile = path.join(node.pkiDirectory, 'sa.pub');
  const publisher = new AzureBlobPublisher({
    containerUrl: blobStore.containerUrl,
    credentials: { connectionString: blobStore.connectionString },
    ca: await readFile(blobStore.caPath, 'utf8'),
  });
  await publisher.write('discovery', discoveryDocument(issuer, `${issuer}/openid/v1/jwks`), 'absent');
  await publisher.write(
    'jwks',
    renderAzwiJwks([{ path: keyFile, content: await readFile(keyFile, 'utf8') }]),
    'absent',
  );
}
