// The Azure publisher against a real Azurite over https, and the fake beside it.
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BlobServiceClient,
  ContainerSASPermissions,
  StorageSharedKeyCredential,
  generateBlobSASQueryParameters,
} from '@azure/storage-blob';
import type { ContainerClient, StoragePipelineOptions } from '@azure/storage-blob';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startBlobStore } from '../../src/demo/blob-store.ts';
import type { BlobStore } from '../../src/demo/blob-store.ts';
import { AzureBlobPublisher } from '../../src/publishers/azure-blob.ts';
import type { AzureBlobPublisherOptions } from '../../src/publishers/azure-blob.ts';
import type { IssuerDocument } from '../../src/publishers/port.ts';
import { readPublic } from '../../src/publishers/read-back.ts';
import { createTrustingFetch } from '../../src/publishers/trusting-fetch.ts';
import { publisherContract } from '../contract/publisher.ts';
import { MemoryPublisher } from '../fakes/memory-publisher.ts';

const directory = mkdtempSync(join(tmpdir(), 'keyturn-azurite-'));
let store: BlobStore;
let ca: string;
let service: BlobServiceClient;
let containers = 0;

beforeAll(async () => {
  store = await startBlobStore({ directory, oauth: true });
  ca = readFileSync(store.caPath, 'utf8');
  const options: StoragePipelineOptions & { tlsOptions: { ca: string } } = { tlsOptions: { ca } };
  service = BlobServiceClient.fromConnectionString(store.connectionString, options);
});

afterAll(async () => {
  await store.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function makeContainer(access: 'blob' | 'private' = 'blob'): Promise<ContainerClient> {
  containers += 1;
  const container = service.getContainerClient(`oidc-${containers}`);
  await container.create(access === 'blob' ? { access } : {});
  return container;
}

function publisherFor(
  container: ContainerClient,
  options: Partial<AzureBlobPublisherOptions> = {},
): AzureBlobPublisher {
  return new AzureBlobPublisher({
    containerUrl: container.url,
    credentials: { connectionString: store.connectionString },
    ca,
    ...options,
  });
}

const PATHS = { jwks: 'openid/v1/jwks', discovery: '.well-known/openid-configuration' } as const;

publisherContract('azure-blob on Azurite', async () => {
  const container = await makeContainer();
  return {
    open: () => publisherFor(container),
    publicUrl: (document: IssuerDocument) => `${container.url}/${PATHS[document]}`,
    fetch: createTrustingFetch(ca),
    store: async (document, content, blobContentType) => {
      const bytes = Buffer.from(content);
      const options = { blobHTTPHeaders: { blobContentType } };
      await container.getBlockBlobClient(PATHS[document]).upload(bytes, bytes.length, options);
    },
    makePrivate: async () => void (await container.setAccessPolicy()),
    duringOutage: async (run) => {
      await store.stop();
      try {
        await run();
      } finally {
        await store.start();
      }
    },
  };
});

publisherContract('memory', () => {
  const publisher = new MemoryPublisher();
  return Promise.resolve({
    open: () => publisher,
    publicUrl: (document: IssuerDocument) => publisher.publicUrl(document),
    fetch: publisher.publicFetch,
    store: async (document, content, contentType) => publisher.store(document, Buffer.from(content), contentType),
    makePrivate: () => Promise.resolve(void (publisher.isPublic = false)),
    duringOutage: async (run) => {
      publisher.isUp = false;
      await run().finally(() => (publisher.isUp = true));
    },
  });
});

function sas(container: ContainerClient, permissions: string, expiresInMs = 3_600_000): string {
  const { credential } = service;
  if (!(credential instanceof StorageSharedKeyCredential)) throw new Error('no key');
  return generateBlobSASQueryParameters(
    {
      containerName: container.containerName,
      permissions: ContainerSASPermissions.parse(permissions),
      startsOn: new Date(Date.now() - 3_600_000),
      expiresOn: new Date(Date.now() + expiresInMs),
    },
    credential,
  ).toString();
}

/** Azurite checks audience, issuer and times of a bearer token, and not its signature. */
function bearerToken(claims: Record<string, unknown> = {}): string {
  const now = Math.floor(Date.now() / 1000);
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const payload = {
    aud: 'https://storage.azure.com',
    iss: 'https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/',
    iat: now - 60,
    nbf: now - 60,
    exp: now + 3600,
    ver: '1.0',
    ...claims,
  };
  return `${part({ alg: 'RS256', typ: 'JWT' })}.${part(payload)}.${part('signature')}`;
}

const identity = (token: string) => ({
  getToken: () => Promise.resolve({ token, expiresOnTimestamp: Date.now() + 3_600_000 }),
});

describe('credentials', () => {
  test('a SAS for reading and writing', async () => {
    const container = await makeContainer();
    for (const text of [sas(container, 'rcw'), `?${sas(container, 'rcw')}`]) {
      const publisher = publisherFor(container, { credentials: { sas: text } });
      await publisher.write('jwks', 'x', (await publisher.read('jwks')) ?? 'absent');
      expect((await publisher.read('jwks'))?.body).toBe('x');
      expect(publisher.description).toBe(`azure-blob ${container.url}`);
    }
  });

  test('a connection string with a SAS', async () => {
    const container = await makeContainer();
    const endpoint = new URL(container.url).origin + '/devstoreaccount1';
    const connectionString = `BlobEndpoint=${endpoint};SharedAccessSignature=${sas(container, 'rcw')}`;
    const publisher = publisherFor(container, { credentials: { connectionString } });
    await publisher.write('jwks', 'x', 'absent');
    expect((await publisher.read('jwks'))?.body).toBe('x');
  });

  test('an identity', async () => {
    const container = await makeContainer();
    const publisher = publisherFor(container, { credentials: { identity: identity(bearerToken()) } });
    await publisher.write('jwks', 'x', 'absent');
    expect((await publisher.read('jwks'))?.body).toBe('x');
  });

  test('the default identity, here that of an App Service', async () => {
    const asked: unknown[] = [];
    const metadata = createServer((request, response) => {
      asked.push(request.headers['x-identity-header']);
      const expiresOn = Math.floor(Date.now() / 1000) + 3600;
      response.end(JSON.stringify({ access_token: bearerToken(), expires_on: expiresOn, token_type: 'Bearer' }));
    });
    await once(metadata.listen(0, '127.0.0.1'), 'listening');
    vi.stubEnv('IDENTITY_ENDPOINT', `http://127.0.0.1:${(metadata.address() as AddressInfo).port}/token`);
    vi.stubEnv('IDENTITY_HEADER', 'h');
    try {
      const publisher = publisherFor(await makeContainer(), { credentials: { identity: 'default' } });
      await publisher.write('jwks', 'x', 'absent');
      expect((await publisher.read('jwks'))?.body).toBe('x');
      expect(asked).toEqual(['h']);
    } finally {
      vi.unstubAllEnvs();
      metadata.close();
    }
  });

  // In private containers: where the public may read, Azurite does not look at who asks.
  const DENIED = { code: 'PUBLISHER_ACCESS_DENIED', retryable: false };

  test('a SAS for reading only cannot write', async () => {
    const container = await makeContainer();
    await publisherFor(container).write('jwks', 'x', 'absent');
    const publisher = publisherFor(container, { credentials: { sas: sas(container, 'r') } });
    const stored = await publisher.read('jwks');
    const error: unknown = await publisher.write('jwks', 'y', stored ?? 'absent').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ ...DENIED, subject: `${container.url}/openid/v1/jwks`, cause: undefined });
    expect(JSON.stringify(error) + String(error)).not.toContain('sig=');
    expect((await publisher.read('jwks'))?.body).toBe('x');
  });

  test('a SAS that has expired', async () => {
    const container = await makeContainer('private');
    const publisher = publisherFor(container, { credentials: { sas: sas(container, 'rcw', -60_000) } });
    await expect(publisher.read('jwks')).rejects.toMatchObject(DENIED);
  });

  test('a wrong account key, which is not repeated', async () => {
    const container = await makeContainer('private');
    const key = Buffer.from('wrong key').toString('base64');
    const connectionString = store.connectionString.replace(/AccountKey=[^;]*/, `AccountKey=${key}`);
    const publisher = publisherFor(container, { credentials: { connectionString } });
    const error: unknown = await publisher.read('jwks').catch((reason: unknown) => reason);
    expect(error).toMatchObject(DENIED);
    expect(JSON.stringify(error) + String(error)).not.toContain(key);
    await expect(publisher.write('jwks', 'x', 'absent')).rejects.toMatchObject(DENIED);
  });

  test('an identity whose token is for something else', async () => {
    const container = await makeContainer('private');
    const token = bearerToken({ aud: 'https://management.azure.com' });
    await expect(
      publisherFor(container, { credentials: { identity: identity(token) } }).read('jwks'),
    ).rejects.toMatchObject(DENIED);
  });

  test('an identity that gets no token', async () => {
    const container = await makeContainer();
    const failing = {
      getToken: () => Promise.reject(Object.assign(new Error('no'), { name: 'CredentialUnavailableError' })),
    };
    await expect(publisherFor(container, { credentials: { identity: failing } }).read('jwks')).rejects.toMatchObject(
      DENIED,
    );
  });
});

describe('the container', () => {
  test('is missing', async () => {
    const publisher = publisherFor(service.getContainerClient('nowhere'));
    const missing = { code: 'PUBLISHER_CONTAINER_MISSING', retryable: false };
    await expect(publisher.read('jwks')).rejects.toMatchObject(missing);
    await expect(publisher.write('jwks', 'x', 'absent')).rejects.toMatchObject(missing);
    await expect(publisher.write('jwks', 'x', { etag: '"1"' })).rejects.toMatchObject(missing);
  });

  test('is private: its owner writes, nobody reads', async () => {
    const container = await makeContainer('private');
    await publisherFor(container).write('jwks', 'x', 'absent');
    await expect(
      readPublic(`${container.url}/openid/v1/jwks`, { fetch: createTrustingFetch(ca) }),
    ).rejects.toMatchObject({
      code: 'JWKS_NOT_PUBLIC',
    });
  });
});

describe('the blob', () => {
  test('lies where it is told, with the cache control that is told', async () => {
    const container = await makeContainer();
    const options = { jwksPath: 'keys.json', discoveryPath: 'a/b.json', cacheControl: 'no-cache' };
    await publisherFor(container, options).write('jwks', '{}', 'absent');
    await publisherFor(container, options).write('discovery', '{}', 'absent');
    for (const path of ['keys.json', 'a/b.json']) {
      const { cacheControl, contentType } = await readPublic(`${container.url}/${path}`, {
        fetch: createTrustingFetch(ca),
      });
      expect({ cacheControl, contentType }).toEqual({ cacheControl: 'no-cache', contentType: 'application/json' });
    }
  });

  test('keeps the metadata that others attached', async () => {
    const container = await makeContainer();
    const blob = container.getBlockBlobClient('openid/v1/jwks');
    await blob.upload('one', 3, { metadata: { owner: 'terraform' } });
    const publisher = publisherFor(container);
    await publisher.write('jwks', 'two', (await publisher.read('jwks')) ?? 'absent');
    expect((await blob.getProperties()).metadata).toEqual({ owner: 'terraform' });
    expect((await publisher.read('jwks'))?.body).toBe('two');
  });

  test('is leased by another writer: a clear error, worth another try', async () => {
    const container = await makeContainer();
    const publisher = publisherFor(container);
    await publisher.write('jwks', 'x', 'absent');
    const stored = (await publisher.read('jwks')) ?? 'absent';
    const lease = container.getBlobClient('openid/v1/jwks').getBlobLeaseClient();
    await lease.acquireLease(15);
    await expect(publisher.write('jwks', 'y', stored)).rejects.toMatchObject({
      code: 'PUBLISHER_ACCESS_DENIED',
      message: expect.stringContaining('leased') as unknown,
      retryable: true,
    });
    await lease.releaseLease();
    await publisher.write('jwks', 'y', stored);
  });

  test.each([
    ['that is not UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
    ['larger than 1 MiB', Buffer.alloc(1_048_577, 0x20)],
  ])('has content %s: JWKS_MALFORMED', async (_, content) => {
    const container = await makeContainer();
    await container.getBlockBlobClient('openid/v1/jwks').upload(content, content.length);
    await expect(publisherFor(container).read('jwks')).rejects.toMatchObject({ code: 'JWKS_MALFORMED' });
  });

  test('begins with a byte order mark: it is not dropped in silence', async () => {
    const container = await makeContainer();
    await container.getBlockBlobClient('openid/v1/jwks').upload('\uFEFF{}', 5);
    expect((await publisherFor(container).read('jwks'))?.body).toBe('\uFEFF{}');
  });
});

describe('trust', () => {
  test('a server whose authority is unknown cannot be reached', async () => {
    const container = await makeContainer();
    const untrusting = new AzureBlobPublisher({
      containerUrl: container.url,
      credentials: { connectionString: store.connectionString },
    });
    await expect(untrusting.read('jwks')).rejects.toMatchObject({ code: 'PUBLISHER_UNREACHABLE' });
    await expect(readPublic(`${container.url}/x`, { fetch: createTrustingFetch() })).rejects.toMatchObject({
      code: 'PUBLISHER_UNREACHABLE',
      details: { reason: expect.stringMatching(/UNABLE_TO_VERIFY|SELF_SIGNED/) as unknown },
    });
  });
});

describe('settings that are refused before anything is sent', () => {
  const connectionString =
    'DefaultEndpointsProtocol=https;AccountName=a;AccountKey=a2V5;EndpointSuffix=core.windows.net';
  const token = identity('x');
  test.each([
    ['no URL', { containerUrl: 'oidc', credentials: { connectionString } }],
    ['another protocol', { containerUrl: 'ftp://a/oidc', credentials: { connectionString } }],
    ['no container', { containerUrl: 'https://a.blob.core.windows.net/', credentials: { connectionString } }],
    ['a final slash', { containerUrl: 'https://a.blob.core.windows.net/oidc/', credentials: { connectionString } }],
    [
      'a SAS in the URL',
      { containerUrl: 'https://a.blob.core.windows.net/oidc?sv=1&sig=s3cret', credentials: { connectionString } },
    ],
    ['a password in the URL', { containerUrl: 'https://u:s3cret@a/oidc', credentials: { connectionString } }],
    ['an identity over http', { containerUrl: 'http://127.0.0.1/oidc', credentials: { identity: token } }],
    [
      'a malformed connection string',
      { containerUrl: 'https://a/oidc', credentials: { connectionString: 'AccountKey=s3cret' } },
    ],
  ])('%s', (_, options) => {
    expect(() => new AzureBlobPublisher(options)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.not.stringContaining('s3cret') as unknown }),
    );
  });
});
