// What KubeClient shows of us, directly and through a proxy, and how refusals come out. A real TLS server plays the API server.
import { once } from 'node:events';
import { createServer } from 'node:http';
import https from 'node:https';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { KubeConfig } from '@kubernetes/client-node';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { KubeClient } from '../../src/api-servers/kube-client.ts';
import { createCertificateAuthority } from '../../src/demo/certificate-authority.ts';
import type { CertificateAuthority, CertificatePair } from '../../src/demo/certificate-authority.ts';

let authority: CertificateAuthority;
let ours: CertificatePair;
beforeAll(async () => {
  authority = await createCertificateAuthority('test');
  ours = await authority.issue({ commonName: 'keyturn' });
});

interface Seen {
  readonly certificate: string | undefined;
  readonly authorization: string | undefined;
  readonly impersonate: string | undefined;
}
let seen: Seen[];
let answer: (path: string | undefined) => { readonly status: number; readonly body: string };
let server: https.Server;
let port: number;
beforeEach(async () => {
  seen = [];
  answer = () => ({ status: 200, body: '{}' });
  const { certificatePem, privateKeyPem } = await authority.issue({ commonName: 's', serverNames: ['127.0.0.1'] });
  const tls = { cert: certificatePem, key: privateKeyPem, ca: authority.certificatePem };
  server = https.createServer({ ...tls, requestCert: true, rejectUnauthorized: false }, (request, response) => {
    const subject = (request.socket as TLSSocket).getPeerCertificate().subject as { CN: string } | undefined;
    const { authorization, 'impersonate-user': impersonate } = request.headers;
    seen.push({ certificate: subject?.CN, authorization, impersonate: impersonate as string | undefined });
    const { status, body } = answer(request.url);
    response.writeHead(status).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const base64 = (text: string): string => Buffer.from(text).toString('base64');
function client(user: object = {}, cluster: object = {}): KubeClient {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromClusterAndUser(
    {
      name: 'c',
      server: `https://127.0.0.1:${port}`,
      skipTLSVerify: false,
      caData: base64(authority.certificatePem),
      ...cluster,
    },
    { name: 'u', certData: base64(ours.certificatePem), keyData: base64(ours.privateKeyPem), ...user },
  );
  return new KubeClient(kubeConfig);
}
const call = { verb: 'get', path: '/x', resource: 'x' } as const;
const nothing: Seen = { certificate: undefined, authorization: undefined, impersonate: undefined };

/** A forward proxy that only tunnels, as a bastion does. */
async function startProxy() {
  let tunnels = 0;
  const proxy = createServer().on('connect', (request, socket) => {
    tunnels += 1;
    const [host = '', to = ''] = (request.url ?? '').split(':');
    const upstream = connect(Number(to), host, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.pipe(socket).pipe(upstream);
    });
    for (const end of [socket, upstream]) end.on('error', () => end.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    tunnels: () => tunnels,
    stop: () => proxy.close(),
  };
}

describe('credentials', () => {
  test.each([
    ['a client certificate', {}, { ...nothing, certificate: 'keyturn' }],
    ['a token beside it', { token: 'ours' }, { ...nothing, certificate: 'keyturn', authorization: 'Bearer ours' }],
    ['impersonation', { impersonateUser: 'x' }, { ...nothing, certificate: 'keyturn', impersonate: 'x' }],
    [
      'name and password',
      { username: 'a', password: 'b' },
      { ...nothing, certificate: 'keyturn', authorization: 'Basic YTpi' },
    ],
  ])('%s: shown as ourselves, and never together with a token that is tried', async (_, user, expected) => {
    const kube = client(user);
    await kube.send(call);
    await kube.send(call, { bearerToken: 'tried' });
    await kube.send(call, 'none');
    expect(seen).toEqual([expected, { ...nothing, authorization: 'Bearer tried' }, nothing]);
  });

  test('the same through a proxy', async () => {
    const proxy = await startProxy();
    const kube = client({ token: 'ours' }, { proxyUrl: proxy.url });
    await kube.send(call);
    await kube.send(call, { bearerToken: 'tried' });
    await kube.at(`https://127.0.0.1:${port}/`).send(call, 'none');
    expect(seen).toEqual([
      { ...nothing, certificate: 'keyturn', authorization: 'Bearer ours' },
      { ...nothing, authorization: 'Bearer tried' },
      nothing,
    ]);
    expect(proxy.tunnels()).toBe(3);
    proxy.stop();
  });
});

describe('refusals', () => {
  const status = (code: number): string => JSON.stringify({ kind: 'Status', code, message: 'because' });

  test.each([
    [401, 'API_SERVER_FORBIDDEN', false, /does not accept Keyturn's credentials/],
    [403, 'API_SERVER_FORBIDDEN', false, /may not get leases keyturn\/a at .*Apply deploy\/rbac\.yaml/],
    [429, 'API_SERVER_UNREACHABLE', true, /HTTP 429 because/],
    [500, 'API_SERVER_UNREACHABLE', true, /HTTP 500 because/],
    [503, 'API_SERVER_UNREACHABLE', true, /HTTP 503 because/],
    [404, 'API_SERVER_UNEXPECTED', false, /HTTP 404: because/],
    [409, 'API_SERVER_UNEXPECTED', true, /HTTP 409: because/],
  ])('HTTP %d is %s', async (code, errorCode, retryable, message) => {
    answer = (path) => (path === '/readyz' ? { status: 200, body: 'ok' } : { status: code, body: status(code) });
    const refused = client().call({ verb: 'get', path: '/x', resource: 'leases', object: 'keyturn/a' });
    await expect(refused).rejects.toMatchObject({
      code: errorCode,
      retryable,
      message: expect.stringMatching(message) as string,
    });
  });

  test.each([403, 500])('a server that refuses while /readyz answers %d is still starting', async (readyz) => {
    answer = (path) => (path === '/readyz' ? { status: readyz, body: '' } : { status: 403, body: status(403) });
    await expect(client().call(call)).rejects.toMatchObject({ code: 'API_SERVER_UNREACHABLE', retryable: true });
  });

  test('credentials are at fault where anonymous requests are switched off', async () => {
    answer = () => ({ status: 401, body: status(401) });
    await expect(client().call(call)).rejects.toMatchObject({ code: 'API_SERVER_FORBIDDEN' });
  });

  test('what is expected is returned; what is not JSON is told', async () => {
    answer = () => ({ status: 404, body: status(404) });
    expect(await client().call(call, [404])).toMatchObject({ status: 404, body: { message: 'because' } });
    answer = () => ({ status: 200, body: '<html>a portal</html>' });
    await expect(client().call(call)).rejects.toMatchObject({
      code: 'API_SERVER_UNEXPECTED',
      message: expect.not.stringContaining('portal') as string,
    });
  });
});
