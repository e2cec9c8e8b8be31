// Stands before the object store at an address of its own, and answers as badly as it is told to.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:https';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { BlobStore } from '../../src/demo/blob-store.ts';
import { reservePort, type ReservedPort } from '../../src/demo/free-port.ts';

/** `away` ends connections without an answer; `stale` answers reads as they were answered when it began. */
export type Trouble = 'none' | 'away' | 'slow' | 'stale' | 'writes answered 412' | 'answered 403';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Longer than anybody's patience with a quick server, shorter than the time-outs of relying parties. */
const SLOW_MS = 3000;

export class FaultyFront {
  /** What everybody but this front uses in place of the store itself. */
  readonly store: BlobStore;
  /** Requests that got trouble since it began. */
  troubled = 0;
  #trouble: Trouble = 'none';
  /** The last good answer to each read, and as they stood when `stale` began. */
  readonly #last = new Map<string, Answer>();
  #stale: ReadonlyMap<string, Answer> = new Map();
  readonly #server: Server;
  readonly #port: ReservedPort;
  readonly #target: { readonly port: number; readonly ca: string };

  static async start(behind: BlobStore): Promise<FaultyFront> {
    const directory = path.dirname(behind.caPath);
    const read = (name: string) => readFile(path.join(directory, name), 'utf8');
    const port = await reservePort();
    // It is on the same host, so the store's own certificate will do.
    const server = createServer({ cert: await read('server.crt'), key: await read('server.key') });
    const target = { port: Number(new URL(behind.containerUrl).port), ca: await read('ca.crt') };
    const front = new FaultyFront(server, port, behind, target);
    server.listen(port.port, '127.0.0.1');
    await once(server, 'listening');
    return front;
  }

  private constructor(server: Server, port: ReservedPort, behind: BlobStore, target: { port: number; ca: string }) {
    this.#server = server;
    this.#port = port;
    this.#target = target;
    const here = (text: string) => text.replaceAll(`127.0.0.1:${target.port}`, `127.0.0.1:${port.port}`);
    this.store = {
      connectionString: here(behind.connectionString),
      containerUrl: here(behind.containerUrl),
      caPath: behind.caPath,
      start: () => behind.start(),
      stop: () => behind.stop(),
    };
    server.on('request', (asked: IncomingMessage, answer: ServerResponse) => {
      // A client that went away, or a store that is stopped: nobody is left to be told.
      this.#serve(asked, answer).catch(() => asked.socket.destroy());
    });
  }

  begin(trouble: Trouble): void {
    this.troubled = 0;
    this.#stale = new Map(this.#last);
    this.#trouble = trouble;
  }

  end(): void {
    this.#trouble = 'none';
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
    await this.#port.release();
  }

  async #serve(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const body = await buffer(asked);
    const { method = 'GET', url = '/' } = asked;
    const isTroubled = this.#isTroubled(method, url);
    if (isTroubled) this.troubled += 1;
    const trouble = isTroubled ? this.#trouble : 'none';
    if (trouble === 'away') return void asked.socket.destroy();
    if (trouble === 'answered 403') return refuse(answer, 403, 'AuthorizationFailure');
    if (trouble === 'writes answered 412') return refuse(answer, 412, 'ConditionNotMet');
    if (trouble === 'slow') await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
    const given = trouble === 'stale' ? this.#stale.get(url) : undefined;
    const { status, headers, body: content } = given ?? (await this.#forward(asked, body));
    if (method === 'GET' && status === 200) this.#last.set(url, { status, headers, body: content });
    answer.writeHead(status, headers).end(content);
  }

  #isTroubled(method: string, url: string): boolean {
    if (this.#trouble === 'none') return false;
    if (this.#trouble === 'writes answered 412') return method === 'PUT';
    return this.#trouble !== 'stale' || (method === 'GET' && this.#stale.has(url));
  }

  async #forward(asked: IncomingMessage, body: Buffer): Promise<Answer> {
    const { method, url: pathAndQuery, headers } = asked;
    const forwarded = request({
      host: '127.0.0.1',
      ...this.#target,
      method,
      path: pathAndQuery,
      headers,
      agent: false,
    });
    forwarded.end(body);
    const [got] = (await once(forwarded, 'response')) as [IncomingMessage];
    const { connection: _, 'transfer-encoding': __, ...kept } = got.headers;
    return { status: got.statusCode ?? 502, headers: kept, body: await buffer(got) };
  }
}

/** As Azure says it. */
function refuse(answer: ServerResponse, status: number, code: string): void {
  const body = `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>on purpose</Message></Error>`;
  answer.writeHead(status, { 'content-type': 'application/xml', 'x-ms-error-code': code }).end(body);
}
