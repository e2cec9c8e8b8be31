// The Google Cloud Storage publisher against fake-gcs-server, which enforces generation preconditions and knows no permissions.
// What IAM refuses is therefore shown against answers as the documentation of the JSON API has them, and so is a bucket that is not public.
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { GcsPublisher, type GcsPublisherOptions } from '../../../src/publishers/gcs.ts';
import type { IssuerDocument } from '../../../src/publishers/port.ts';
import { readPublic } from '../../../src/publishers/read-back.ts';
import { createTrustingFetch } from '../../../src/publishers/trusting-fetch.ts';
import { publisherContract } from '../../contract/publisher.ts';
import { startGcsServer, type GcsServer } from '../../fixtures/gcs-server.ts';

const OBJECTS = { jwks: 'openid/v1/jwks', discovery: '.well-known/openid-configuration' } as const;
let server: GcsServer;
let directory: string;
let buckets = 0;

beforeAll(async () => {
  server = await startGcsServer();
  directory = await mkdtemp(path.join(tmpdir(), 'keyturn-adc-'));
});

afterAll(async () => {
  await server.remove();
  await rm(directory, { recursive: true, force: true });
});
afterEach(() => vi.unstubAllEnvs());

async function makeBucket(): Promise<string> {
  buckets += 1;
  await server.createBucket(`oidc-${buckets}`);
  return `oidc-${buckets}`;
}

function publisherFor(bucket: string, options: Partial<GcsPublisherOptions> = {}): GcsPublisher {
  return new GcsPublisher({
    bucket,
    endpoint: server.endpoint,
    credentials: 'anonymous',
    jwksObject: OBJECTS.jwks,
    ...options,
  });
}

publisherContract('gcs on fake-gcs-server', async () => {
  const bucket = await makeBucket();
  let isPublic = true;
  const reach = createTrustingFetch();
  return {
    open: () => publisherFor(bucket),
    publicUrl: (document: IssuerDocument) => `${server.endpoint}/${bucket}/${OBJECTS[document]}`,
    // The server gives everything to everybody: that the bucket is closed is played here, with the answer that Google gives.
    fetch: async (url, request) => (isPublic ? reach(url, request) : new Response('AccessDenied', { status: 403 })),
    store: (document, content, contentType) => server.store(bucket, OBJECTS[document], content, contentType),
    makePrivate: () => Promise.resolve(void (isPublic = false)),
    duringOutage: async (run) => {
      await server.stop();
      try {
        await run();
      } finally {
        await server.start();
      }
    },
  };
});

describe('the bucket', () => {
  test('is missing, which is another thing than a missing object', async () => {
    const publisher = publisherFor('nowhere');
    const missing = { code: 'PUBLISHER_CONTAINER_MISSING', retryable: false };
    await expect(publisher.read('jwks')).rejects.toMatchObject(missing);
    await expect(publisher.write('jwks', 'x', 'absent')).rejects.toMatchObject(missing);
  });
});

describe('the object', () => {
  test('keeps the metadata that others attached', async () => {
    const bucket = await makeBucket();
    await server.store(bucket, OBJECTS.jwks, 'one', 'text/plain', { owner: 'terraform' });
    const publisher = publisherFor(bucket);
    await publisher.write('jwks', 'two', (await publisher.read('jwks')) ?? 'absent');
    const resource = await fetch(`${server.endpoint}/storage/v1/b/${bucket}/o/openid%2Fv1%2Fjwks`);
    expect(await resource.json()).toMatchObject({ metadata: { owner: 'terraform' }, contentType: 'application/json' });
  });

  test('lies where it is told, with the cache control that is told', async () => {
    const bucket = await makeBucket();
    await publisherFor(bucket, { jwksObject: 'keys.json', cacheControl: 'no-cache' }).write('jwks', '{}', 'absent');
    const { cacheControl } = await readPublic(`${server.endpoint}/${bucket}/keys.json`, {
      fetch: createTrustingFetch(),
    });
    expect(cacheControl).toBe('no-cache');
  });
});

interface Request {
  readonly url: string;
  readonly authorization: string | undefined;
}

/** Answers as Google does, with one status for everything; and a metadata server beside it, which gives a token or has none to give. */
async function googleAnswering(status: number, hasToken = true) {
  const requests: Request[] = [];
  const google = createServer((request, response) => {
    requests.push({ url: request.url ?? '', authorization: request.headers.authorization });
    response.writeHead(status, { 'x-goog-generation': '7' }).end(status === 200 ? 'body' : '{"error":{}}');
  });
  const metadata = createServer((request, response) => {
    const isToken = request.url?.includes('/service-accounts/default/token') === true;
    const found = !isToken || hasToken;
    const body = isToken ? JSON.stringify({ access_token: 'ya29.test', expires_in: 3600 }) : 'googleapis.com';
    const type = isToken ? 'application/json' : 'application/text';
    response.writeHead(found ? 200 : 404, { 'metadata-flavor': 'Google', 'content-type': type }).end(found ? body : '');
  });
  for (const listener of [google, metadata]) await once(listener.listen(0, '127.0.0.1'), 'listening');
  const portOf = (listener: Server) => (listener.address() as AddressInfo).port;
  vi.stubEnv('GCE_METADATA_HOST', `127.0.0.1:${portOf(metadata)}`);
  vi.stubEnv('METADATA_SERVER_DETECTION', 'assume-present');
  vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', undefined);
  vi.stubEnv('HOME', directory);
  return {
    endpoint: `http://127.0.0.1:${portOf(google)}`,
    requests,
    stop: () => [google, metadata].forEach((listener) => listener.close()),
  };
}

describe('Application Default Credentials', () => {
  test('of a workload identity: their token goes along', async () => {
    const google = await googleAnswering(200);
    const publisher = new GcsPublisher({ bucket: 'oidc', endpoint: google.endpoint, jwksObject: OBJECTS.jwks });
    expect(await publisher.read('jwks')).toEqual({ body: 'body', etag: '7' });
    expect(google.requests).toEqual([
      { url: '/storage/v1/b/oidc/o/openid%2Fv1%2Fjwks?alt=media', authorization: 'Bearer ya29.test' },
    ]);
    google.stop();
  });

  test.each([401, 403])('lack a right (%i): the rights that are needed are named', async (status) => {
    const google = await googleAnswering(status);
    const publisher = new GcsPublisher({ bucket: 'oidc', endpoint: google.endpoint });
    const denied = {
      code: 'PUBLISHER_ACCESS_DENIED',
      retryable: false,
      message: expect.stringContaining('storage.objects.get, list, create and delete') as unknown,
    };
    await expect(publisher.read('jwks')).rejects.toMatchObject(denied);
    await expect(publisher.write('jwks', 'x', 'absent')).rejects.toMatchObject(denied);
    google.stop();
  });

  test.each([429, 503])('are fine, the service is not (%i): worth another try', async (status) => {
    const google = await googleAnswering(status);
    const publisher = new GcsPublisher({ bucket: 'oidc', endpoint: google.endpoint });
    await expect(publisher.read('jwks')).rejects.toMatchObject({ code: 'PUBLISHER_UNREACHABLE', retryable: true });
    google.stop();
  });

  test('have no service account behind them', async () => {
    const google = await googleAnswering(200, false);
    const publisher = new GcsPublisher({ bucket: 'oidc', endpoint: google.endpoint });
    await expect(publisher.read('jwks')).rejects.toMatchObject({ code: 'PUBLISHER_ACCESS_DENIED', retryable: false });
    google.stop();
  });

  test('are missing: how to give some is said', async () => {
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', undefined);
    vi.stubEnv('HOME', directory);
    vi.stubEnv('METADATA_SERVER_DETECTION', 'none');
    const publisher = new GcsPublisher({ bucket: 'oidc', endpoint: server.endpoint });
    await expect(publisher.read('jwks')).rejects.toMatchObject({
      code: 'PUBLISHER_ACCESS_DENIED',
      retryable: false,
      message: expect.stringContaining('no Google credentials') as unknown,
    });
  });
});

test.each(['oidc', 'ftp://storage.example', 'https://user:s3cret@storage.example'])(
  'endpoint %s is refused',
  (endpoint) => {
    expect(() => publisherFor('oidc', { endpoint })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.not.stringContaining('s3cret') as unknown }),
    );
  },
);
