// Exec against a stand-in API server that speaks the channel protocol: what it answers, and how it breaks off. Real TLS and WebSockets.
import { once } from 'node:events';
import https from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { execInPod } from '../../src/api-servers/pod-exec.ts';
import { createCertificateAuthority, type CertificateAuthority } from '../../src/demo/certificate-authority.ts';

let authority: CertificateAuthority;
beforeAll(async () => {
  authority = await createCertificateAuthority('test');
});

const servers: https.Server[] = [];
const sockets = new Set<Socket>();
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  for (const socket of sockets) socket.destroy();
});

interface Behaviour {
  /** After the handshake. */
  readonly serve?: (socket: WebSocket, request: IncomingMessage) => void;
  /** In place of the handshake. */
  readonly refuse?: (socket: Socket) => void;
  /** HTTP status of `/readyz`. Default 200. */
  readonly readyz?: number;
}

/** Runs `cat /token` at a server that behaves so. */
async function exec({ serve, refuse, readyz = 200 }: Behaviour, timeoutMs = 5000) {
  const { certificatePem, privateKeyPem } = await authority.issue({ commonName: 'server', serverNames: ['127.0.0.1'] });
  const answer = (_: IncomingMessage, response: ServerResponse) => response.writeHead(readyz).end();
  const server = https.createServer({ cert: certificatePem, key: privateKeyPem }, answer).listen(0, '127.0.0.1');
  servers.push(server);
  server.on('secureConnection', (socket: Socket) => sockets.add(socket));
  const webSockets = new WebSocketServer({ noServer: true, handleProtocols: (offered) => [...offered][0] ?? false });
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    if (refuse !== undefined) refuse(socket);
    else webSockets.handleUpgrade(request, socket, head, (opened) => serve?.(opened, request));
  });
  await once(server, 'listening');
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromClusterAndUser(
    {
      name: 'test',
      server: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
      caData: Buffer.from(authority.certificatePem).toString('base64'),
      skipTLSVerify: false,
    },
    { name: 'keyturn', token: 'credential-of-keyturn' },
  );
  return execInPod(kubeConfig, {
    namespace: 'keyturn-verify',
    pod: 'pod-1',
    container: 'probe',
    command: ['cat', '/a file'],
    timeoutMs,
  });
}

const frame = (channel: number, text: string) => Buffer.concat([Buffer.of(channel), Buffer.from(text)]);
const success = JSON.stringify({ kind: 'Status', status: 'Success' });
const exited = (code: string) =>
  JSON.stringify({
    kind: 'Status',
    status: 'Failure',
    reason: 'NonZeroExitCode',
    message: `command terminated with exit code ${code}`,
    details: { causes: [{ reason: 'ExitCode', message: code }] },
  });

describe('a command in a pod', () => {
  test('is asked for as ourselves, word by word, and gives what it wrote', async () => {
    let asked: IncomingMessage | undefined;
    const result = await exec({
      serve: (socket, request) => {
        asked = request;
        // API servers begin with an empty message for each channel.
        for (const channel of [1, 2]) socket.send(frame(channel, ''));
        socket.send(frame(1, 'first, '));
        socket.send(frame(2, 'a warning'));
        socket.send(frame(1, 'then'));
        socket.send(frame(3, success));
        socket.close();
      },
    });
    expect(result).toMatchObject({ exitCode: 0, stdout: 'first, then', stderr: 'a warning' });
    expect(asked?.url).toBe(
      '/api/v1/namespaces/keyturn-verify/pods/pod-1/exec?stdout=true&stderr=true&container=probe&command=cat&command=%2Fa+file',
    );
    expect(asked?.headers).toMatchObject({
      authorization: 'Bearer credential-of-keyturn',
      'sec-websocket-protocol': 'v5.channel.k8s.io,v4.channel.k8s.io',
    });
  });

  test('that fails gives its exit code', async () => {
    const serve = (socket: WebSocket) => {
      socket.send(frame(2, "cat: can't open"));
      socket.send(frame(3, exited('1')));
    };
    expect(await exec({ serve })).toMatchObject({ exitCode: 1, stdout: '', stderr: "cat: can't open" });
  });

  const internal = JSON.stringify({ status: 'Failure', reason: 'InternalError', message: 'error dialing backend' });
  test.each<[string, Behaviour, string]>([
    ['whose kubelet is away', { serve: (socket) => socket.send(frame(3, internal)) }, 'error dialing backend'],
    ['whose connection is closed', { serve: (socket) => socket.close() }, 'was closed before'],
    [
      'whose connection is cut in the middle',
      { serve: (socket) => socket.send(frame(1, 'half'), () => socket.terminate()) },
      'was closed before',
    ],
    ['whose status is none', { serve: (socket) => socket.send(frame(3, '{"status":"Maybe"}')) }, 'is not a Status'],
    ['whose status is not JSON', { serve: (socket) => socket.send(frame(3, 'oops')) }, 'is not JSON'],
    ['that writes without end', { serve: (socket) => socket.send(frame(1, 'x'.repeat(2 ** 24 + 1))) }, 'WS_ERR'],
    ['that hangs', { serve: () => undefined }, 'did not end within 300 ms'],
    ['whose server hangs before the handshake', { refuse: () => undefined }, 'did not end within 300 ms'],
    ['whose server breaks off the handshake', { refuse: (socket) => socket.destroy() }, 'ECONNRESET'],
  ])('%s may be tried again', async (_, behaviour, why) => {
    const error: unknown = await exec(behaviour, why.includes('300 ms') ? 300 : 10_000).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: 'API_SERVER_UNREACHABLE', retryable: true });
    expect((error as Error).message).toContain(why);
  });

  test.each<[number, string, boolean]>([
    [403, 'API_SERVER_FORBIDDEN', false],
    [404, 'API_SERVER_UNEXPECTED', false],
    [500, 'API_SERVER_UNREACHABLE', true],
    [503, 'API_SERVER_UNREACHABLE', true],
  ])('that is answered with HTTP %i fails with %s', async (status, code, retryable) => {
    const body = JSON.stringify({ kind: 'Status', message: 'in its own words' });
    const head = `HTTP/1.1 ${status} No\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n`;
    await expect(exec({ refuse: (socket) => socket.end(head + body) })).rejects.toMatchObject({
      code,
      retryable,
      details: { status, said: 'in its own words' },
    });
  });

  test('that is answered with HTTP 403 by an API server that is still starting may be asked for again', async () => {
    const refuse = (socket: Socket) => socket.end('HTTP/1.1 403 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
    await expect(exec({ refuse, readyz: 403 })).rejects.toMatchObject({
      code: 'API_SERVER_UNREACHABLE',
      retryable: true,
      message: expect.stringContaining('is not ready and refuses to create pods/exec'),
    });
  });
});
