// API servers and kubelets as agent pods see them: pods are kept in memory, their containers are processes of this machine, exec goes over
// WebSockets as in Kubernetes. Written apart from the product: no code of it is used here.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import https from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { createCertificateAuthority } from '../../src/demo/certificate-authority.ts';
import type { CertificateAuthority } from '../../src/demo/certificate-authority.ts';
import { CuttingProxy } from '../fixtures/cutting-proxy.ts';

export interface FakePod {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Record<string, string>;
    creationTimestamp: string;
    deletionTimestamp?: string;
  };
  readonly spec: { readonly nodeName: string; readonly containers: readonly { readonly command: readonly string[] }[] };
  status: object;
  process?: ChildProcess;
}

/** One API server; its node is of the same number. */
export interface FakeApiServer {
  readonly url: string;
  readonly node: string;
  /** The way to it. */
  readonly way: CuttingProxy;
  /** Pods in which something was run through it. */
  readonly execs: string[];
}

export interface AgentClusterOptions {
  readonly nodes: readonly string[];
  /** Folder with the programs of the image. */
  readonly image: string;
  /** `v4.channel.k8s.io`, as before Kubernetes 1.30, or what comes first. */
  readonly protocol?: string;
}

export class AgentCluster {
  readonly pods = new Map<string, FakePod>();
  readonly servers: FakeApiServer[] = [];
  /** Nodes whose kubelet does nothing. */
  readonly idleKubelets = new Set<string>();
  /** Status and message with which a call is refused; undefined for none. */
  refuse: (method: string, path: string, body: unknown) => readonly [number, string] | undefined = () => undefined;
  /** What a new pod's status is when its kubelet has seen it; default: its container is started, and runs. */
  statusOf: (pod: FakePod) => object | undefined = () => undefined;
  nodeLabels: Record<string, string> = { 'node-role.kubernetes.io/control-plane': '' };
  refuseExec = false;
  readonly #options: AgentClusterOptions;
  readonly #authority: CertificateAuthority;
  readonly #close: (() => Promise<void>)[] = [];

  static async start(options: AgentClusterOptions): Promise<AgentCluster> {
    const cluster = new AgentCluster(options, await createCertificateAuthority('test'));
    for (const [index, node] of options.nodes.entries()) await cluster.#serve(node, `127.0.0.${index + 1}`);
    return cluster;
  }

  private constructor(options: AgentClusterOptions, authority: CertificateAuthority) {
    this.#options = options;
    this.#authority = authority;
  }

  /** For the API server of the first node. */
  kubeConfig(): KubeConfig {
    const kubeConfig = new KubeConfig();
    const caData = Buffer.from(this.#authority.certificatePem).toString('base64');
    kubeConfig.loadFromClusterAndUser(
      { name: 'c', server: this.servers[0]!.url, skipTLSVerify: false, caData },
      { name: 'u' },
    );
    return kubeConfig;
  }

  /** Names and nodes of the pods that nobody has deleted. */
  running(): readonly string[] {
    return [...this.pods.values()].map(({ spec }) => spec.nodeName);
  }

  /** Every pod's container ends at once and is started again, as after a crash. */
  restartContainers(): void {
    for (const pod of this.pods.values()) {
      pod.process?.kill('SIGKILL');
      this.#startContainer(pod);
    }
  }

  /** Their containers end, and stay ended. */
  evictAll(): void {
    for (const pod of this.pods.values()) {
      pod.process?.kill('SIGKILL');
      pod.status = { phase: 'Failed', reason: 'Evicted' };
    }
  }

  async close(): Promise<void> {
    for (const pod of this.pods.values()) pod.process?.kill('SIGKILL');
    for (const close of this.#close) await close();
  }

  async #serve(node: string, host: string): Promise<void> {
    const { certificatePem, privateKeyPem } = await this.#authority.issue({ commonName: 's', serverNames: [host] });
    const server = https.createServer({ cert: certificatePem, key: privateKeyPem }, (request, response) => {
      void this.#answer(request, response);
    });
    server.listen(0, host);
    await once(server, 'listening');
    const way = await CuttingProxy.start((server.address() as AddressInfo).port, host);
    const fake: FakeApiServer = { url: `https://${host}:${way.port}`, node, way, execs: [] };
    this.servers.push(fake);
    const { protocol } = this.#options;
    const sockets = new WebSocketServer({
      noServer: true,
      handleProtocols: (offered) => (protocol !== undefined && offered.has(protocol) ? protocol : [...offered][0]!),
    });
    server.on('upgrade', (request, socket, head) => {
      const pod = this.pods.get(new URL(request.url!, fake.url).pathname.split('/').at(-2)!);
      const refusal = this.refuseExec ? '403 Forbidden' : '404 Not Found';
      if (this.refuseExec || pod === undefined) {
        socket.end(`HTTP/1.1 ${refusal}\r\ncontent-length: 0\r\n\r\n`);
        return;
      }
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        fake.execs.push(pod.metadata.name);
        this.#exec(webSocket, pod, new URL(request.url!, fake.url).searchParams);
      });
    });
    this.#close.push(async () => {
      await way.close();
      server.closeAllConnections();
      server.close();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = chunks.length === 0 ? undefined : (JSON.parse(Buffer.concat(chunks).toString()) as FakePod);
    const { pathname, searchParams } = new URL(request.url!, 'https://x');
    const [status, answer] = this.#respond(request.method!, pathname, searchParams, body);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  }

  #respond(method: string, path: string, query: URLSearchParams, body: FakePod | undefined): [number, unknown] {
    const refusal = this.refuse(method, path, body);
    if (refusal !== undefined) return [refusal[0], { kind: 'Status', message: refusal[1] }];
    if (path === '/readyz') return [200, {}];
    const parts = path.split('/').slice(3);
    if (parts[0] === 'nodes') {
      const index = this.#options.nodes.indexOf(parts[1]!);
      if (index === -1) return [404, {}];
      const addresses = [{ type: 'InternalIP', address: `127.0.0.${index + 1}` }];
      return [200, { metadata: { labels: this.nodeLabels }, status: { addresses } }];
    }
    const name = parts[3];
    if (method === 'POST' && body !== undefined) return [201, this.#create(body)];
    if (name === undefined) return [200, { items: [...this.pods.values()].filter((pod) => matches(pod, query)) }];
    const pod = this.pods.get(name);
    if (pod === undefined) return [404, {}];
    if (method === 'DELETE') this.#delete(pod);
    return [200, { ...pod, process: undefined }];
  }

  #create(body: FakePod): object {
    const metadata = { ...body.metadata, creationTimestamp: new Date().toISOString() };
    const pod: FakePod = { ...body, metadata, status: { phase: 'Pending' } };
    this.pods.set(metadata.name, pod);
    if (!this.idleKubelets.has(pod.spec.nodeName)) setTimeout(() => this.#kubeletSees(pod), 50);
    return { ...pod };
  }

  #kubeletSees(pod: FakePod): void {
    const status = this.statusOf(pod);
    if (status === undefined) this.#startContainer(pod);
    else pod.status = status;
  }

  #startContainer(pod: FakePod): void {
    pod.process = this.#spawn(pod.spec.containers[0]!.command);
    pod.status = { phase: 'Running', containerStatuses: [{ state: { running: {} } }] };
  }

  #delete(pod: FakePod): void {
    pod.metadata.deletionTimestamp ??= new Date().toISOString();
    if (this.idleKubelets.has(pod.spec.nodeName)) return;
    pod.process?.kill('SIGTERM');
    setTimeout(() => this.pods.delete(pod.metadata.name), 100);
  }

  #spawn([program, ...args]: readonly string[]): ChildProcess {
    return spawn(join(this.#options.image, program!), args, { env: { PATH: this.#options.image } });
  }

  #exec(socket: WebSocket, pod: FakePod, query: URLSearchParams): void {
    const send = (channel: number, data: Buffer | string) => {
      if (socket.readyState === socket.OPEN) socket.send(Buffer.concat([Buffer.of(channel), Buffer.from(data)]));
    };
    const end = (status: object) => {
      send(3, JSON.stringify(status));
      socket.close();
    };
    if (this.idleKubelets.has(pod.spec.nodeName)) {
      return end({ status: 'Failure', reason: 'InternalError', message: 'error dialing backend: connection refused' });
    }
    const child = this.#spawn(query.getAll('command'));
    child.stdin!.on('error', () => undefined);
    child.stdout!.on('data', (chunk: Buffer) => send(1, chunk));
    child.stderr!.on('data', (chunk: Buffer) => send(2, chunk));
    socket.on('message', (data: Buffer) => {
      if (data[0] === 0) child.stdin!.write(data.subarray(1));
    });
    socket.on('close', () => child.stdin!.destroy());
    socket.on('error', () => undefined);
    child.once('close', (code) => {
      const causes = [{ reason: 'ExitCode', message: String(code) }];
      end(code === 0 ? { status: 'Success' } : { status: 'Failure', reason: 'NonZeroExitCode', details: { causes } });
    });
  }
}

function matches({ metadata }: FakePod, query: URLSearchParams): boolean {
  const selector = query.get('labelSelector')?.split(',') ?? [];
  return selector.every((term) => metadata.labels[term.split('=')[0]!] === term.split('=')[1]);
}
