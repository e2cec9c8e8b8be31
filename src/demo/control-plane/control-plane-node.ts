// One node of the embedded control plane: its folder, its addresses, and the runner of its pods.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { versions } from '../components/versions.ts';
import { type ReservedPort, reservePort } from '../free-port.ts';
import { waitForHttps } from '../https-probe.ts';
import { type ClusterAuthorities, writeKubeconfig, writeNodePki } from './cluster-certificates.ts';
import { apiServerManifest, controllerManagerManifest, type Flags } from './kubeadm-manifests.ts';
import { RestartLog } from './restart-log.ts';
import type { SigningKeyFiles } from './signing-key-files.ts';
import { StaticPodRunner } from './static-pod-runner.ts';

export interface NodeSettings {
  readonly name: string;
  readonly directory: string;
  readonly authorities: ClusterAuthorities;
  readonly signingKey: SigningKeyFiles;
  readonly etcdUrls: readonly string[];
  readonly issuer: string;
  readonly apiServerGracePeriodSeconds: number;
  readonly apiServerFlags: Flags;
  readonly controllerManagerFlags: Flags;
  readonly programs: Readonly<Record<string, string>>;
}

const readyTimeoutMs = 120_000;

export class ControlPlaneNode {
  readonly name: string;
  readonly directory: string;
  readonly manifestsDirectory: string;
  readonly pkiDirectory: string;
  readonly runner: StaticPodRunner;
  readonly restartLog: RestartLog;
  readonly #settings: NodeSettings;
  readonly #stopped = new AbortController();
  readonly #apiServerPort: ReservedPort;
  readonly #controllerManagerPort: ReservedPort;

  static async create(settings: NodeSettings): Promise<ControlPlaneNode> {
    const [apiServerPort, controllerManagerPort] = await Promise.all([reservePort(), reservePort()]);
    return new ControlPlaneNode(settings, apiServerPort, controllerManagerPort);
  }

  private constructor(settings: NodeSettings, apiServerPort: ReservedPort, controllerManagerPort: ReservedPort) {
    this.#settings = settings;
    this.#apiServerPort = apiServerPort;
    this.#controllerManagerPort = controllerManagerPort;
    this.name = settings.name;
    this.directory = settings.directory;
    this.manifestsDirectory = join(settings.directory, 'manifests');
    this.pkiDirectory = join(settings.directory, 'pki');
    this.restartLog = new RestartLog(this.apiServerUrl, settings.authorities.cluster.certificatePem);
    this.runner = new StaticPodRunner({
      manifestsDirectory: this.manifestsDirectory,
      logsDirectory: join(settings.directory, 'logs'),
      programs: settings.programs,
      onEvent: (event) => {
        if (event.pod === 'kube-apiserver') this.restartLog.record(event);
      },
    });
  }

  get apiServerUrl(): string {
    return `https://127.0.0.1:${this.#apiServerPort.port}`;
  }

  get controllerManagerUrl(): string {
    return `https://127.0.0.1:${this.#controllerManagerPort.port}`;
  }

  /** Starts the API server, and the controller manager once it is ready. @throws Error that names the logs, also where it is stopped meanwhile */
  async start(): Promise<void> {
    try {
      await this.#startPods();
    } catch (error) {
      throw new Error(`${this.name} did not become ready, see ${join(this.directory, 'logs')}`, { cause: error });
    }
  }

  async #startPods(): Promise<void> {
    const { authorities, signingKey, etcdUrls, issuer, apiServerFlags } = this.#settings;
    await Promise.all([
      mkdir(this.manifestsDirectory, { recursive: true }),
      writeNodePki(this.pkiDirectory, authorities, signingKey),
    ]);
    const kubeconfigPath = join(this.directory, 'controller-manager.conf');
    await writeKubeconfig(kubeconfigPath, authorities, this.apiServerUrl, 'system:kube-controller-manager');
    const pkiDirectory = this.pkiDirectory;
    await this.#writeManifest(
      'kube-apiserver',
      apiServerManifest({
        port: this.#apiServerPort.port,
        pkiDirectory,
        etcdUrls,
        issuer,
        version: versions['kube-apiserver'],
        gracePeriodSeconds: this.#settings.apiServerGracePeriodSeconds,
        extraFlags: apiServerFlags,
      }),
    );
    await this.runner.start();
    const caPem = authorities.cluster.certificatePem;
    const wait = { timeoutMs: readyTimeoutMs, signal: this.#stopped.signal };
    await waitForHttps({ url: `${this.apiServerUrl}/readyz`, caPem }, wait);
    await this.#writeManifest(
      'kube-controller-manager',
      controllerManagerManifest({
        port: this.#controllerManagerPort.port,
        pkiDirectory,
        kubeconfigPath,
        version: versions['kube-controller-manager'],
        extraFlags: this.#settings.controllerManagerFlags,
      }),
    );
    // Its serving certificate is one that it made for itself.
    await waitForHttps({ url: `${this.controllerManagerUrl}/healthz`, caPem: undefined }, wait);
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('stopped'));
    this.restartLog.close();
    await this.runner.stop();
    await Promise.all([this.#apiServerPort.release(), this.#controllerManagerPort.release()]);
  }

  async #writeManifest(pod: string, text: string): Promise<void> {
    await writeFile(join(this.manifestsDirectory, `${pod}.yaml`), text, { mode: 0o600 });
  }
}
