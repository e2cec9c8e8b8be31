// An issuer that a real API server serves itself: what it shows, to whom, and through which troubles.
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { KubeClient } from '../../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../../src/api-servers/kube-config.ts';
import { kidsOf } from '../../../src/jwks/jwks.ts';
import { ApiServerPublisher } from '../../../src/publishers/api-server.ts';
import { readPublic } from '../../../src/publishers/read-back.ts';
import { createTrustingFetch, type DocumentFetch } from '../../../src/publishers/trusting-fetch.ts';
import { startSingleApiServer, type SingleApiServer } from '../../fixtures/single-api-server.ts';

let server: SingleApiServer;
let publisher: ApiServerPublisher;
let fetch: DocumentFetch;
let url: string;

beforeAll(async () => {
  server = await startSingleApiServer();
  const kubeConfig = await loadKubeConfig(await server.kubeConfig('admin'));
  publisher = new ApiServerPublisher(new KubeClient(kubeConfig));
  fetch = createTrustingFetch(await readFile(kubeConfig.getCurrentCluster()?.caFile ?? '', 'utf8'));
  url = `${server.url}/openid/v1/jwks`;
});

afterAll(() => server.stop());

test('it is private until its readers are let in, with the rights of deploy/rbac-public-issuer.yaml alone', async () => {
  await expect(readPublic(url, { fetch })).rejects.toMatchObject({ code: 'JWKS_NOT_PUBLIC', subject: url });
  const binding: unknown = parse(await readFile('deploy/rbac-public-issuer.yaml', 'utf8'));
  const created = await server.asAdmin('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', binding);
  expect(created.status).toBe(201);
  await expect
    .poll(() => readPublic(url, { fetch }).catch(() => undefined), { timeout: 30_000 })
    .toMatchObject({ contentType: 'application/jwk-set+json' });
  await expect(readPublic(`${server.url}/api/v1/secrets`, { fetch })).rejects.toMatchObject({
    code: 'JWKS_NOT_PUBLIC',
  });
});

test('it shows every key that the API server trusts, whichever signs, to the public as to us', async () => {
  const stored = await publisher.read('jwks');
  expect(kidsOf(stored?.body ?? '')).toHaveLength(2);
  expect((await readPublic(url, { fetch })).body).toBe(stored?.body);
  expect(JSON.parse((await publisher.read('discovery'))?.body ?? '')).toMatchObject({ issuer: server.issuer });
});

test('nobody writes it', async () => {
  await expect(publisher.write('jwks')).rejects.toMatchObject({
    code: 'PUBLISHER_ACCESS_DENIED',
    retryable: false,
    subject: url,
  });
  expect(publisher.publishes).toBe('by-trusting');
  expect(publisher.description).toBe(`api-server ${server.url}`);
});

test('an outage is worth another try, and passes', async () => {
  const before = await publisher.read('jwks');
  await server.signal('SIGTERM');
  await expect(publisher.read('jwks')).rejects.toMatchObject({ code: 'API_SERVER_UNREACHABLE', retryable: true });
  await expect(readPublic(url, { fetch })).rejects.toMatchObject({ code: 'PUBLISHER_UNREACHABLE', retryable: true });
  await server.start(2);
  expect((await publisher.read('jwks'))?.body).toBe(before?.body);
});
