// What the Temporal UI asks to show encrypted payloads: a codec server, as Temporal defines it, for the browser of one operator.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PayloadCodec } from '@temporalio/common';
import { KeyturnError } from '../errors.ts';
import { fromPayloadJson, payloadsJson, toPayloadJson } from './payload-json.ts';

export interface CodecServerOptions {
  readonly codec: PayloadCodec;
  /** Origin of the Temporal UI, e.g. `https://temporal.example.com`: no other page gets an answer. */
  readonly uiOrigin: string;
  /** Default 127.0.0.1 */
  readonly host?: string;
  /** Default: one that the system picks. */
  readonly port?: number;
}

export interface CodecServer {
  /** E.g. `http://127.0.0.1:8081`: the codec endpoint to set in the UI. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Temporal's own limit of what one message may hold is 4 MiB; base64 makes it longer. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;

/** Answers `POST /encode` and `POST /decode`. @throws CONFIG_INVALID where the address cannot be had */
export async function startCodecServer({
  codec,
  uiOrigin,
  host = '127.0.0.1',
  port = 0,
}: CodecServerOptions): Promise<CodecServer> {
  const server = createServer((request, response) => {
    response.setHeader('vary', 'origin');
    // A page that may be read by anyone must not be able to ask: without this answer the browser asks no further.
    const isUi = request.headers.origin === uiOrigin;
    if (isUi) {
      response.setHeader('access-control-allow-origin', uiOrigin);
      response.setHeader('access-control-allow-methods', 'POST, OPTIONS');
      response.setHeader('access-control-allow-headers', 'content-type, x-namespace, authorization');
    }
    if (!isUi) return end(response, 403, `only pages of ${uiOrigin} may ask`);
    if (request.method === 'OPTIONS') return end(response, 204);
    void answer(codec, request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(unavailable(host, port, cause)));
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  return {
    url: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(codec: PayloadCodec, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = new URL(request.url ?? '/', 'http://codec-server').pathname;
  const direction = { '/encode': 'encode', '/decode': 'decode' }[path] as 'encode' | 'decode' | undefined;
  if (direction === undefined || request.method !== 'POST')
    return end(response, 404, 'ask POST /encode or POST /decode');
  try {
    const body = payloadsJson.safeParse(JSON.parse(await readBody(request)));
    if (!body.success) return end(response, 400, 'the body is not {"payloads": [...]}');
    const payloads = await codec[direction](body.data.payloads.map(fromPayloadJson));
    response.setHeader('content-type', 'application/json');
    end(response, 200, JSON.stringify({ payloads: payloads.map(toPayloadJson) }));
  } catch (error) {
    // Of our own errors the words are safe; those of a parser would quote what it read.
    end(response, 400, error instanceof KeyturnError ? error.message : 'the body cannot be read');
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    // Read to its end all the same: the connection serves the next request.
    if (length <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  if (length > MAX_BODY_BYTES) throw new Error('too long');
  return Buffer.concat(chunks).toString('utf8');
}

function end(response: ServerResponse, status: number, body = ''): void {
  response.statusCode = status;
  response.end(body);
}

function unavailable(host: string, port: number, cause: Error): KeyturnError {
  return new KeyturnError('CONFIG_INVALID', `The codec server cannot listen on ${host}:${port}`, {
    subject: `${host}:${port}`,
    remedy: 'Choose another --listen address: one of this machine, with a port that is free',
    cause,
  });
}
