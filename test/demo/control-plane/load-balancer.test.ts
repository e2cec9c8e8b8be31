// The load balancer in front of small https servers whose readiness the test decides.
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { get } from 'node:https';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCertificateAuthority } from '../../../src/demo/certificate-authority.ts';
import { LoadBalancer } from '../../../src/demo/control-plane/load-balancer.ts';
import { type ReservedPort, reservePort } from '../../../src/demo/free-port.ts';

const authority = await createCertificateAuthority('test');
const certificate = await authority.issue({ commonName: 'server', serverNames: ['127.0.0.1'] });

interface Backend {
  readonly name: string;
  readonly server: Server;
  readonly url: string;
  isReady: boolean;
}

let backends: Backend[];
let port: ReservedPort;
let balancer: LoadBalancer;

beforeEach(async () => {
  backends = await Promise.all(['a', 'b', 'c'].map(startBackend));
  port = await reservePort();
  const options = {
    port: port.port,
    backends: backends.map((backend) => backend.url),
    caPem: authority.certificatePem,
  };
  balancer = new LoadBalancer({ ...options, checkMs: 100, checkTimeoutMs: 5000 });
  await balancer.start();
});
afterEach(async () => {
  await balancer.stop();
  await port.release();
  for (const backend of backends) backend.server.close().closeAllConnections();
});

async function startBackend(name: string): Promise<Backend> {
  const server = createServer(
    { key: certificate.privateKeyPem, cert: certificate.certificatePem },
    (request, response) => {
      if (request.url === '/readyz') response.writeHead(backend.isReady ? 200 : 500).end();
      else if (request.url !== '/hang') response.end(name);
    },
  ).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const backend = { name, server, url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, isReady: true };
  return backend;
}

const ask = (path = '/'): Promise<string> =>
  new Promise((resolve, reject) => {
    const request = get(`${balancer.url}${path}`, { ca: authority.certificatePem, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.once('end', () => resolve(text));
    });
    request.once('error', reject);
  });
const askSixTimes = async (): Promise<string> => {
  const names: string[] = [];
  for (let count = 0; count < 6; count++) names.push(await ask());
  return names.toSorted().join('');
};

describe('LoadBalancer', () => {
  it('takes the ready backends in turn', async () => {
    expect(await askSixTimes()).toBe('aabbcc');
  });

  it('passes over a backend that is not ready until it is again', async () => {
    backends[1]!.isReady = false;
    await balancer.checkAll();
    expect(await askSixTimes()).toBe('aaaccc');
    backends[1]!.isReady = true;
    await balancer.checkAll();
    expect(await askSixTimes()).toBe('aabbcc');
  });

  it('goes to the next backend where one refuses the connection, before any health check', async () => {
    backends[0]!.server.close().closeAllConnections();
    expect(await askSixTimes()).toMatch(/^b+c+$/);
  });

  it('drops the connections of a backend that stops being ready', async () => {
    for (const backend of backends.slice(1)) backend.isReady = false;
    await balancer.checkAll();
    const hanging = ask('/hang');
    setTimeout(() => (backends[0]!.isReady = false), 50);
    await expect(hanging).rejects.toThrow(/socket hang up|ECONNRESET/);
  });

  it('takes another backend in, and leaves one out from then on', async () => {
    const added = await startBackend('d');
    backends.push(added);
    balancer.add(added.url);
    await balancer.checkAll();
    balancer.remove(backends[0]!.url);
    expect(await askSixTimes()).toBe('bbccdd');
  });

  it('closes connections at once where no backend is ready', async () => {
    for (const backend of backends) backend.isReady = false;
    await balancer.checkAll();
    await expect(ask()).rejects.toThrow(/ECONNRESET|disconnected|socket hang up/);
  });
});
