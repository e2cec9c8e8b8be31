// Requests to servers that hang, restart, break off, or are not who they should be. Real sockets and TLS.
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import https from 'node:https';
import type { Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { sendHttps } from '../../src/api-servers/https-request.ts';
import type { HttpsRequest } from '../../src/api-servers/https-request.ts';
import { createCertificateAuthority } from '../../src/demo/certificate-authority.ts';
import type { CertificateAuthority } from '../../src/demo/certificate-authority.ts';

let authority: CertificateAuthority;
beforeAll(async () => {
  authority = await createCertificateAuthority('test');
});

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(listener: RequestListener, serverNames = ['127.0.0.1'], port = 0) {
  const { certificatePem, privateKeyPem } = await authority.issue({ commonName: 'server', serverNames });
  const options = { cert: certificatePem, key: privateKeyPem, ca: authority.certificatePem, requestCert: true };
  const server = https.createServer({ ...options, rejectUnauthorized: false }, listener).listen(port, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

function get(port: number, overrides: Partial<HttpsRequest> = {}) {
  const tls = { ca: authority.certificatePem };
  return sendHttps({
    method: 'GET',
    url: `https://127.0.0.1:${port}/x`,
    headers: {},
    timeoutMs: 2000,
    repeatable: true,
    tls,
    ...overrides,
  });
}

describe('sendHttps', () => {
  test('gives any status with its body', async () => {
    const { port } = await serve((_, response) => response.writeHead(418, { 'x-of': 'test' }).end('short and stout'));
    const answer = await get(port);
    expect(answer).toMatchObject({ status: 418, body: 'short and stout', headers: { 'x-of': 'test' } });
  });

  test('keeps connections, and keeps those with a client certificate apart from those without', async () => {
    const client = await authority.issue({ commonName: 'keyturn' });
    const seen: { who: unknown; from: number | undefined }[] = [];
    const { port } = await serve((request, response) => {
      const socket = request.socket as Socket & { getPeerCertificate(): { subject?: { CN: string } } };
      seen.push({ who: socket.getPeerCertificate().subject?.CN, from: socket.remotePort });
      response.end();
    });
    const own = { ca: authority.certificatePem, cert: client.certificatePem, key: client.privateKeyPem };
    await get(port, { tls: own });
    await get(port);
    await get(port, { tls: own });
    await get(port);
    expect(seen.map(({ who }) => who)).toEqual(['keyturn', undefined, 'keyturn', undefined]);
    expect(seen[0]?.from).toBe(seen[2]?.from);
    expect(seen[1]?.from).toBe(seen[3]?.from);
  });

  test('repeats a read on a new connection where the pooled one was closed', async () => {
    let requests = 0;
    const { port } = await serve((request, response) => {
      requests += 1;
      if (requests === 2) request.socket.destroy();
      else response.end('fine');
    });
    await get(port);
    expect((await get(port)).body).toBe('fine');
    expect(requests).toBe(3);
  });

  test('does not repeat a write', async () => {
    let requests = 0;
    const { port } = await serve((request, response) => {
      requests += 1;
      if (requests === 2) request.socket.destroy();
      else response.end();
    });
    await get(port);
    await expect(get(port, { method: 'POST', body: '{}', repeatable: false })).rejects.toMatchObject({
      code: 'API_SERVER_UNREACHABLE',
      retryable: true,
    });
    expect(requests).toBe(2);
  });

  test('does not repeat without end where the new connection is closed too', async () => {
    let requests = 0;
    const { port } = await serve((request, response) => {
      requests += 1;
      if (requests > 1) request.socket.destroy();
      else response.end();
    });
    await get(port);
    await expect(get(port)).rejects.toMatchObject({ details: { reason: 'ECONNRESET' } });
    expect(requests).toBe(3);
  });

  test('a server that was restarted on the same port is asked anew', async () => {
    const first = await serve((_, response) => response.end('first'));
    expect((await get(first.port)).body).toBe('first');
    first.server.closeAllConnections();
    first.server.close();
    await once(first.server, 'close');
    await expect(get(first.port)).rejects.toMatchObject({ details: { reason: 'ECONNREFUSED' } });
    await serve((_, response) => response.end('second'), ['127.0.0.1'], first.port);
    expect((await get(first.port)).body).toBe('second');
  });

  test.each([
    ['that accepts and says nothing', () => undefined],
    [
      'that begins its answer and stops',
      (_: unknown, response: { write(text: string): void }) => response.write('half'),
    ],
  ])('gives a server %s up in time', async (_, listener) => {
    const { port } = await serve(listener);
    const begin = Date.now();
    await expect(get(port, { timeoutMs: 150 })).rejects.toMatchObject({
      code: 'API_SERVER_UNREACHABLE',
      retryable: true,
      details: { reason: 'no answer within 150 ms' },
    });
    expect(Date.now() - begin).toBeLessThan(1000);
  });

  test('an answer that breaks off is none', async () => {
    const { port } = await serve((request, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('half');
      void sleep(20).then(() => request.socket.destroy());
    });
    await expect(get(port)).rejects.toMatchObject({ code: 'API_SERVER_UNREACHABLE' });
  });

  test.each([
    ['whose authority is another', {}, ['127.0.0.1'], 'SELF_SIGNED_CERT_IN_CHAIN'],
    ['that has another name', undefined, ['elsewhere.example'], 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ])('a server %s is not retried but explained', async (_, tls, names, reason) => {
    const { port } = await serve((__, response) => response.end(), names);
    await expect(get(port, tls === undefined ? {} : { tls })).rejects.toMatchObject({
      code: 'API_SERVER_UNREACHABLE',
      retryable: false,
      details: { reason },
      message: expect.stringContaining('tls-server-name') as string,
    });
  });

  test('tls-server-name is the name that the certificate must have', async () => {
    const { port } = await serve((_, response) => response.end('fine'), ['kubernetes']);
    const tls = { ca: authority.certificatePem, servername: 'kubernetes' };
    expect((await get(port, { tls })).body).toBe('fine');
  });
});
