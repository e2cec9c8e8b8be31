// A TCP load balancer in front of the API servers that sends connections only to those that say they are ready.
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { probeHttps } from '../https-probe.ts';

export interface LoadBalancerOptions {
  /** Address to listen on. Default 127.0.0.1. */
  readonly host?: string;
  readonly port: number;
  /** `https://<address>:<port>` of each API server at the start. */
  readonly backends: readonly string[];
  readonly caPem: string;
  /** Between two health checks of a backend. Default 1 s. */
  readonly checkMs?: number;
  /** The time-out of one. Default: as `checkMs`. */
  readonly checkTimeoutMs?: number;
}

interface Backend {
  readonly url: URL;
  readonly sockets: Set<Socket>;
  isReady: boolean;
}

export class LoadBalancer {
  readonly #server: Server;
  #backends: readonly Backend[];
  readonly #options: LoadBalancerOptions;
  #next = 0;
  #checks: NodeJS.Timeout | undefined;
  /** Of all checks so far: they go one after the other, so that no late answer overrules a newer one. */
  #checked: Promise<void> = Promise.resolve();
  #pendingChecks = 0;

  constructor(options: LoadBalancerOptions) {
    this.#options = options;
    this.#backends = options.backends.map(newBackend);
    this.#server = createServer((client) => this.#serve(client, this.#inTurn()));
  }

  get url(): string {
    return `https://${this.#host}:${this.#options.port}`;
  }

  get #checkMs(): number {
    return this.#options.checkMs ?? 1000;
  }

  get #host(): string {
    return this.#options.host ?? '127.0.0.1';
  }

  async start(): Promise<void> {
    await this.checkAll();
    this.#checks = setInterval(() => {
      if (this.#pendingChecks === 0) void this.checkAll();
    }, this.#checkMs);
    this.#server.listen(this.#options.port, this.#host);
    await once(this.#server, 'listening');
  }

  async stop(): Promise<void> {
    clearInterval(this.#checks);
    for (const backend of this.#backends) dropConnections(backend);
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** Another API server, which gets connections once it says that it is ready. */
  add(url: string): void {
    this.#backends = [...this.#backends, newBackend(url)];
  }

  /** Drops an API server's connections and sends it no more. */
  remove(url: string): void {
    const { origin } = new URL(url);
    const gone = this.#backends.filter((backend) => backend.url.origin === origin);
    this.#backends = this.#backends.filter((backend) => !gone.includes(backend));
    for (const backend of gone) dropConnections(backend);
  }

  /** Asks every backend's /readyz once. A backend that is not ready loses its connections, so that clients go elsewhere. */
  async checkAll(): Promise<void> {
    this.#pendingChecks += 1;
    this.#checked = this.#checked.then(() => this.#checkEach());
    await this.#checked;
    this.#pendingChecks -= 1;
  }

  async #checkEach(): Promise<void> {
    await Promise.all(
      this.#backends.map(async (backend) => {
        const timeoutMs = this.#options.checkTimeoutMs ?? this.#checkMs;
        const answer = await probeHttps({ url: `${backend.url.origin}/readyz`, caPem: this.#options.caPem, timeoutMs });
        backend.isReady = answer === 200;
        if (!backend.isReady) dropConnections(backend);
      }),
    );
  }

  /** Ready backends, a different one first each time. */
  #inTurn(): Backend[] {
    const ready = this.#backends.filter((backend) => backend.isReady);
    const first = ready.length === 0 ? 0 : this.#next++ % ready.length;
    return [...ready.slice(first), ...ready.slice(0, first)];
  }

  /** Joins the client to the first of the candidates that takes the connection. */
  #serve(client: Socket, candidates: readonly Backend[]): void {
    const [backend, ...others] = candidates;
    client.on('error', () => client.destroy());
    if (backend === undefined) {
      client.destroy();
      return;
    }
    const upstream = connect(Number(backend.url.port), backend.url.hostname);
    const refused = (): void => {
      backend.isReady = false;
      this.#serve(client, others);
    };
    upstream.once('error', refused);
    upstream.once('connect', () => {
      upstream.off('error', refused);
      upstream.on('error', () => client.destroy());
      backend.sockets.add(client);
      const end = (): void => {
        backend.sockets.delete(client);
        client.destroy();
        upstream.destroy();
      };
      client.once('close', end);
      upstream.once('close', end);
      client.pipe(upstream).pipe(client);
    });
  }
}

function newBackend(url: string): Backend {
  return { url: new URL(url), sockets: new Set<Socket>(), isReady: false };
}

function dropConnections(backend: Backend): void {
  for (const socket of backend.sockets) socket.destroy();
}
