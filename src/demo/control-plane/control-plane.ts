// A real, highly available Kubernetes control plane on this machine: three kubeadm-shaped nodes over one etcd.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ReservedPort, reservePort } from '../free-port.ts';
import { applyManifest } from './apply-manifest.ts';
import { type ClusterAuthorities, createClusterAuthorities, writeKubeconfig } from './cluster-certificates.ts';
import { ControlPlaneNode } from './control-plane-node.ts';
import type { ControlPlaneOptions } from './control-plane-options.ts';
import { type Etcd, startEtcd } from './etcd-server.ts';
import { LoadBalancer } from './load-balancer.ts';
import type { ApiServerRestart } from './restart-log.ts';
import { generateSigningKeyFiles } from './signing-key-files.ts';

export type { ControlPlaneOptions } from './control-plane-options.ts';

/** A node as its owner sees it. */
export interface ControlPlaneNodeInfo {
  /** `node-1`, `node-2`, ... */
  readonly name: string;
  /** Stands for /etc/kubernetes. */
  readonly directory: string;
  readonly manifestsDirectory: string;
  readonly pkiDirectory: string;
  /** Its own address, not the load balancer's. */
  readonly apiServerUrl: string;
  readonly controllerManagerUrl: string;
}

export interface ControlPlane {
  readonly nodes: readonly ControlPlaneNodeInfo[];
  readonly loadBalancerUrl: string;
  /** Of a user in system:masters, through the load balancer. */
  readonly adminKubeconfigPath: string;
  /** Of the user `keyturn`, whose rights are those of deploy/rbac.yaml, through the load balancer. */
  readonly keyturnKubeconfigPath: string;
  /** Certificate of the authority that signed the API servers' certificates. */
  readonly caPath: string;
  readonly issuer: string;
  /** SIGKILL; the node starts it again. */
  killApiServer(node: string): Promise<void>;
  /** SIGSTOP: it holds its connections and answers nothing. */
  freezeApiServer(node: string): Promise<void>;
  /** SIGCONT. */
  thawApiServer(node: string): Promise<void>;
  /** Completed restarts since the start, oldest first. */
  apiServerRestarts(node: string): readonly ApiServerRestart[];
  /** Ends every process and settles when they are gone. The files stay. May be called again. */
  stop(): Promise<void>;
}

/** The same with what only a control plane of plain processes can do. */
export interface EmbeddedControlPlane extends ControlPlane {
  /** SIGKILL; the node starts it again. */
  killControllerManager(node: string): Promise<void>;
  /** SIGKILL of that many members of etcd, default all: the data stay. */
  killEtcd(members?: number): Promise<void>;
  /** Starts them again at the same addresses; settles when they are healthy. */
  startEtcd(): Promise<void>;
}

const rbacManifest = fileURLToPath(new URL('../../../deploy/rbac.yaml', import.meta.url));

/** Settles when every API server and controller manager is ready. @throws Error with what did not come up; nothing is left running */
export async function startControlPlane(options: ControlPlaneOptions): Promise<EmbeddedControlPlane> {
  const plane = new RunningControlPlane(options);
  try {
    await plane.start(options);
    return plane;
  } catch (error) {
    await plane.stop();
    throw error;
  }
}

class RunningControlPlane implements EmbeddedControlPlane {
  readonly adminKubeconfigPath: string;
  readonly keyturnKubeconfigPath: string;
  readonly caPath: string;
  issuer = '';
  loadBalancerUrl = '';
  nodes: readonly ControlPlaneNode[] = [];
  #etcd: Etcd | undefined;
  #loadBalancer: LoadBalancer | undefined;
  #loadBalancerPort: ReservedPort | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: ControlPlaneOptions) {
    this.adminKubeconfigPath = join(options.directory, 'admin.conf');
    this.keyturnKubeconfigPath = join(options.directory, 'keyturn.conf');
    this.caPath = join(options.directory, 'ca.crt');
  }

  async start(options: ControlPlaneOptions): Promise<void> {
    const count = options.nodes ?? 3;
    options.onProgress?.(`Starting etcd and ${count} control-plane nodes`);
    await mkdir(options.directory, { recursive: true });
    const authorities = await createClusterAuthorities();
    await writeFile(this.caPath, authorities.cluster.certificatePem);
    this.#etcd = await startEtcd(options.components.etcd, join(options.directory, 'etcd'), options.etcdMembers);
    this.#loadBalancerPort = await reservePort();
    this.loadBalancerUrl = `https://127.0.0.1:${this.#loadBalancerPort.port}`;
    const { issuer = 'https://kubernetes.default.svc.cluster.local' } = options;
    this.issuer = issuer === 'load-balancer' ? this.loadBalancerUrl : issuer;
    await this.#startNodes(options, authorities, this.#etcd.urls, count);

    const backends = this.nodes.map((node) => node.apiServerUrl);
    const caPem = authorities.cluster.certificatePem;
    this.#loadBalancer = new LoadBalancer({ port: this.#loadBalancerPort.port, backends, caPem });
    await this.#loadBalancer.start();

    await writeKubeconfig(
      this.adminKubeconfigPath,
      authorities,
      this.loadBalancerUrl,
      'kubernetes-admin',
      'system:masters',
    );
    await writeKubeconfig(this.keyturnKubeconfigPath, authorities, this.loadBalancerUrl, 'keyturn');
    await applyManifest(this.adminKubeconfigPath, rbacManifest);
  }

  async killApiServer(node: string): Promise<void> {
    this.#signalApiServer(node, 'SIGKILL');
  }

  async freezeApiServer(node: string): Promise<void> {
    this.#signalApiServer(node, 'SIGSTOP');
  }

  async thawApiServer(node: string): Promise<void> {
    this.#signalApiServer(node, 'SIGCONT');
  }

  async killControllerManager(node: string): Promise<void> {
    this.#node(node).runner.process('kube-controller-manager')?.signal('SIGKILL');
  }

  async killEtcd(members?: number): Promise<void> {
    await this.#etcd?.kill(members);
  }

  async startEtcd(): Promise<void> {
    await this.#etcd?.start();
  }

  apiServerRestarts(node: string): readonly ApiServerRestart[] {
    return this.#node(node).restartLog.restarts;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #startNodes(
    options: ControlPlaneOptions,
    authorities: ClusterAuthorities,
    etcdUrls: readonly string[],
    count: number,
  ): Promise<void> {
    const signingKey = generateSigningKeyFiles(options.signingKey ?? 'rsa-2048');
    // Each API server would name its own address.
    const ofIssuer =
      options.issuer === 'load-balancer' ? { 'service-account-jwks-uri': `${this.issuer}/openid/v1/jwks` } : {};
    const names = Array.from({ length: count }, (_, index) => `node-${index + 1}`);
    this.nodes = await Promise.all(
      names.map((name) =>
        ControlPlaneNode.create({
          name,
          directory: join(options.directory, name),
          authorities,
          signingKey,
          etcdUrls,
          issuer: this.issuer,
          apiServerGracePeriodSeconds: options.apiServerGracePeriodSeconds ?? 2,
          apiServerFlags: { ...ofIssuer, ...options.apiServerFlags },
          controllerManagerFlags: options.controllerManagerFlags ?? {},
          programs: {
            'kube-apiserver': options.components.kubeApiServer,
            'kube-controller-manager': options.components.kubeControllerManager,
          },
        }),
      ),
    );
    await Promise.all(
      this.nodes.map(async (node) => {
        await node.start();
        options.onProgress?.(`${node.name} is ready at ${node.apiServerUrl}`);
      }),
    );
  }

  async #stopAll(): Promise<void> {
    await this.#loadBalancer?.stop();
    await Promise.all(this.nodes.map((node) => node.stop()));
    await this.#etcd?.stop();
    await this.#loadBalancerPort?.release();
  }

  #signalApiServer(name: string, signal: NodeJS.Signals): void {
    this.#node(name).runner.process('kube-apiserver')?.signal(signal);
  }

  #node(name: string): ControlPlaneNode {
    const node = this.nodes.find((candidate) => candidate.name === name);
    if (node === undefined) throw new RangeError(`no node ${name} in this control plane`);
    return node;
  }
}
