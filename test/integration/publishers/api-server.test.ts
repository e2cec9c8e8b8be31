// An issuer that a real API server serves itself: what it shows, to whom, and through which troubles.
import { generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readPublicJwks } from '../../../src/activities/public-documents.ts';
import { KubeClient } from '../../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../../src/api-servers/kube-config.ts';
import { kidsOf } from '../../../src/jwks/jwks.ts';
import { ApiServerPublisher, SERVED_PATHS } from '../../../src/publishers/api-server.ts';
import type { IssuerDocument } from '../../../src/publishers/port.ts';
import { readPublic } from '../../../src/publishers/read-back.ts';
import { createTrustingFetch, type DocumentFetch } from '../../../src/publishers/trusting-fetch.ts';
import { placeContract } from '../../contract/publisher.ts';
import { startSingleApiServer, type SingleApiServer } from '../../fixtures/single-api-server.ts';

const BINDINGS = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings';
const BINDING = `${BINDINGS}/keyturn-public-issuer`;
const urlOf = (document: IssuerDocument) => `${server.url}/${SERVED_PATHS[document]}`;

let server: SingleApiServer;
let publisher: ApiServerPublisher;
let fetch: DocumentFetch;
/** How many keys the running server trusts; 0 where its issuer is no URL, so that it serves none; `nothing` where it does not run. */
let shown: 0 | 1 | 2 | 101 | 'nothing' = 2;

beforeAll(async () => {
  server = await startSingleApiServer();
  const kubeConfig = await loadKubeConfig(await server.kubeConfig('admin'));
  publisher = new ApiServerPublisher(new KubeClient(kubeConfig));
  fetch = createTrustingFetch(await readFile(kubeConfig.getCurrentCluster()?.caFile ?? '', 'utf8'));
});

afterAll(() => server.stop());

async function show(keys: typeof shown): Promise<void> {
  if (keys === shown) return;
  await server.signal('SIGKILL');
  await server.start(1, {
    trusts: keys === 1 ? [1] : [1, 2],
    ...(keys === 0 ? { issuers: ['not-a-url'] } : {}),
    ...(keys === 101 ? { trustsToo: publicKeys(99) } : {}),
  });
  shown = keys;
}

function publicKeys(count: number): string {
  const pem = () =>
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' });
  return Array.from({ length: count }, pem).join('');
}

/** With the rights of deploy/rbac-public-issuer.yaml. The API server learns of them a moment later. */
async function letInEveryone(): Promise<void> {
  await server.asAdmin('POST', BINDINGS, parse(await readFile('deploy/rbac-public-issuer.yaml', 'utf8')));
  await expect.poll(() => fetch(urlOf('jwks')).then(({ status }) => status), { timeout: 30_000 }).not.toBe(403);
}

async function makePrivate(): Promise<void> {
  await server.asAdmin('DELETE', BINDING);
  await expect.poll(() => fetch(urlOf('jwks')).then(({ status }) => status), { timeout: 30_000 }).toBe(403);
}

test('it is private until its readers are let in, and opens these two documents alone', async () => {
  const notPublic = { code: 'JWKS_NOT_PUBLIC', subject: urlOf('jwks') };
  await expect(readPublic(urlOf('jwks'), { fetch })).rejects.toMatchObject(notPublic);
  await letInEveryone();
  await readPublic(urlOf('discovery'), { fetch });
  await expect(readPublic(`${server.url}/api/v1/secrets`, { fetch })).rejects.toMatchObject({
    code: 'JWKS_NOT_PUBLIC',
  });
});

// What the suite has besides (preconditions, racing writers, foreign keys and layouts that are kept, writes that are cut off) cannot be
// broken here: nobody writes an API server's documents, which the next test shows.
placeContract(
  'api-server',
  async () => {
    await letInEveryone();
    let inFront: (() => Response) | undefined;
    return {
      open: () => publisher,
      publicUrl: urlOf,
      fetch: async (url, request) => inFront?.() ?? fetch(url, request),
      show,
      // An API server cannot do it: it comes from a server in front, at the address that the discovery document names.
      store: async (_, content, contentType) => {
        inFront = () => new Response(Buffer.from(content), { headers: { 'content-type': contentType } });
      },
      makePrivate,
      duringOutage: async (run) => {
        const before = shown;
        shown = 'nothing';
        await server.signal('SIGKILL');
        try {
          await run();
        } finally {
          await show(before);
        }
      },
    };
  },
  'API_SERVER_UNREACHABLE',
);

test('nobody writes it, so nothing of it can be lost', async () => {
  await show(2);
  const before = await publisher.read('jwks');
  await expect(publisher.write('jwks')).rejects.toMatchObject({
    code: 'PUBLISHER_ACCESS_DENIED',
    retryable: false,
    subject: urlOf('jwks'),
  });
  expect(await publisher.read('jwks')).toEqual(before);
  expect(publisher.publishes).toBe('by-trusting');
  expect(publisher.description).toBe(`api-server ${server.url}`);
});

test('it shows every key that is trusted, whichever signs, its own issuer, and lets both be cached for an hour', async () => {
  await letInEveryone();
  expect(kidsOf((await publisher.read('jwks'))?.body ?? '')).toHaveLength(2);
  expect(JSON.parse((await publisher.read('discovery'))?.body ?? '')).toMatchObject({ issuer: server.issuer });
  const issuer = { jwksUrl: urlOf('jwks'), discoveryUrl: urlOf('discovery'), fetch };
  expect((await readPublicJwks(issuer)).serving).toEqual({
    url: urlOf('jwks'),
    contentType: 'application/jwk-set+json',
    maxAgeMs: 3_600_000,
  });
});
