// Reading as a relying party does, from servers that answer in every way.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { readPublic } from '../../src/publishers/read-back.ts';
import { createTrustingFetch } from '../../src/publishers/trusting-fetch.ts';
import type { DocumentFetch } from '../../src/publishers/trusting-fetch.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listen(server: Server): Promise<string> {
  servers.push(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const serve = (listener: RequestListener): Promise<string> => listen(createServer(listener));
const answerWith = (status: number, headers = {}, body = '') =>
  serve((_, response) => void response.writeHead(status, headers).end(body));

describe.each<[string, DocumentFetch]>([
  ['trusting fetch', createTrustingFetch()],
  ['fetch of the web', fetch],
])('readPublic with the %s', (_, documentFetch) => {
  const read = (url: string, timeoutMs = 2_000) => readPublic(url, { fetch: documentFetch, timeoutMs });

  test('gives body and headers', async () => {
    const url = await answerWith(
      200,
      { 'content-type': 'application/json', 'cache-control': 'public, max-age=60' },
      '{"ü":1}',
    );
    expect(await read(`${url}/openid/v1/jwks`)).toEqual({
      status: 200,
      body: '{"ü":1}',
      contentType: 'application/json',
      cacheControl: 'public, max-age=60',
    });
  });

  test('gives headers that are not sent as undefined', async () => {
    expect(await read(await answerWith(200))).toEqual({
      status: 200,
      body: '',
      contentType: undefined,
      cacheControl: undefined,
    });
  });

  test('asks as relying parties do: for JSON, past no cache, without credentials', async () => {
    const asked: unknown[] = [];
    const url = await serve(
      ({ headers: { accept, authorization, 'cache-control': cacheControl, pragma } }, response) => {
        asked.push({ accept, authorization, cacheControl, pragma });
        response.end();
      },
    );
    await read(url);
    expect(asked).toEqual([expect.objectContaining({ accept: 'application/json, application/jwk-set+json' })]);
    expect(JSON.stringify(asked)).not.toMatch(/authorization|no-cache/);
  });

  test.each([401, 403, 404, 409, 410])('%i is JWKS_NOT_PUBLIC', async (status) => {
    const url = await answerWith(status, {}, 'x');
    await expect(read(url)).rejects.toMatchObject({
      code: 'JWKS_NOT_PUBLIC',
      subject: url,
      retryable: false,
      details: { status },
    });
  });

  test.each([301, 302, 307, 308])('a redirect (%i) is JWKS_NOT_PUBLIC, and is not followed', async (status) => {
    const target = await answerWith(200, {}, 'moved');
    const url = await answerWith(status, { location: target });
    await expect(read(url)).rejects.toMatchObject({
      code: 'JWKS_NOT_PUBLIC',
      message: expect.stringContaining('redirect') as unknown,
    });
  });

  test.each([408, 429, 500, 502, 503])('%i is PUBLISHER_UNREACHABLE, worth another try', async (status) => {
    await expect(read(await answerWith(status))).rejects.toMatchObject({
      code: 'PUBLISHER_UNREACHABLE',
      retryable: true,
    });
  });

  test('nobody there', async () => {
    const url = await answerWith(200);
    servers.splice(0).forEach((server) => server.close());
    await expect(read(url)).rejects.toMatchObject({
      code: 'PUBLISHER_UNREACHABLE',
      retryable: true,
      details: { reason: 'ECONNREFUSED' },
    });
  });

  test('a server that never answers, or never ends', async () => {
    const silent = await serve(() => undefined);
    const endless = await serve((_request, response) => void response.writeHead(200).write('{'));
    const gaveUp = { code: 'PUBLISHER_UNREACHABLE', details: { reason: 'TimeoutError' } };
    await expect(read(silent, 200)).rejects.toMatchObject(gaveUp);
    await expect(read(endless, 200)).rejects.toMatchObject(gaveUp);
  });

  test('an answer that breaks off', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('{');
      setTimeout(() => response.destroy(), 20);
    });
    await expect(read(url)).rejects.toMatchObject({ code: 'PUBLISHER_UNREACHABLE', retryable: true });
  });

  test('something else than HTTP', async () => {
    const url = await listen(
      createTcpServer((socket) => void socket.on('error', () => undefined).end('SSH-2.0-x\r\n')),
    );
    await expect(read(url)).rejects.toMatchObject({ code: 'PUBLISHER_UNREACHABLE' });
  });

  test('more than 1 MiB', async () => {
    const url = await answerWith(200, {}, ' '.repeat(1_048_577));
    await expect(read(url)).rejects.toMatchObject({ code: 'JWKS_MALFORMED', subject: url });
  });
});

test('a status that is none is an error of the fetch, not of the process', async () => {
  const url = await listen(
    createTcpServer((socket) => void socket.on('error', () => undefined).end('HTTP/1.1 999 What\r\n\r\n')),
  );
  await expect(createTrustingFetch()(url)).rejects.toThrow(RangeError);
});

test('a kept connection that the server closes at the moment of use is no outage', async () => {
  let connections = 0;
  const url = await listen(
    createTcpServer((socket) => {
      connections += 1;
      let requests = 0;
      socket.on('error', () => undefined);
      socket.on('data', () => {
        requests += 1;
        if (requests === 1) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}');
        else socket.resetAndDestroy();
      });
    }),
  );
  const trustingFetch = createTrustingFetch();
  expect((await readPublic(url, { fetch: trustingFetch })).body).toBe('{}');
  expect((await readPublic(url, { fetch: trustingFetch })).body).toBe('{}');
  expect(connections).toBe(2);
});
