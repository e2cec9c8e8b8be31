// The S3 publisher against a real server that enforces signatures, users, bucket policies and preconditions.
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { IssuerDocument } from '../../../src/publishers/port.ts';
import { readPublic } from '../../../src/publishers/read-back.ts';
import { S3Publisher, type S3PublisherOptions } from '../../../src/publishers/s3.ts';
import { createTrustingFetch } from '../../../src/publishers/trusting-fetch.ts';
import { publisherContract } from '../../contract/publisher.ts';
import { startS3Server, type BucketPolicy, type S3Server, type S3User } from '../../fixtures/s3-server.ts';

const KEYS = { jwks: 'keys.json', discovery: '.well-known/openid-configuration' } as const;
let server: S3Server;
let keyturn: S3User;
let buckets = 0;

beforeAll(async () => {
  server = await startS3Server();
  keyturn = await server.createUser('keyturn');
});

afterAll(() => server.remove());
afterEach(() => vi.unstubAllEnvs());

async function makeBucket(policy?: BucketPolicy): Promise<string> {
  buckets += 1;
  await server.createBucket(`oidc-${buckets}`, keyturn, policy);
  return `oidc-${buckets}`;
}

function publisherFor(bucket: string, options: Partial<S3PublisherOptions> = {}): S3Publisher {
  const { endpoint, ca } = server;
  return new S3Publisher({ bucket, region: 'us-east-1', endpoint, ca, credentials: keyturn, ...options });
}

function storeAs(bucket: string, key: string, content: string | Uint8Array, more: object = {}) {
  return server.client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: content, ...more }));
}

publisherContract('s3 on versitygw, with the rights of deploy/s3-policy.json', async () => {
  const bucket = await makeBucket();
  return {
    open: () => publisherFor(bucket),
    publicUrl: (document: IssuerDocument) => `${server.endpoint}/${bucket}/${KEYS[document]}`,
    fetch: createTrustingFetch(server.ca),
    store: async (document, content, contentType) =>
      void (await storeAs(bucket, KEYS[document], content, { ContentType: contentType })),
    makePrivate: () => server.setPolicy(bucket, keyturn, { isPublic: false }),
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

describe('credentials', () => {
  test('of the environment, as the default chain of the SDK finds them', async () => {
    const bucket = await makeBucket();
    vi.stubEnv('AWS_ACCESS_KEY_ID', keyturn.accessKeyId);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', keyturn.secretAccessKey);
    const { endpoint, ca } = server;
    const publisher = new S3Publisher({ bucket, region: 'us-east-1', endpoint, ca });
    await publisher.write('jwks', 'x', 'absent');
    expect((await publisher.read('jwks'))?.body).toBe('x');
  });

  test('there are none: how to give some is said', async () => {
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE']) vi.stubEnv(name, undefined);
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/dev/null');
    vi.stubEnv('AWS_CONFIG_FILE', '/dev/null');
    const { endpoint, ca } = server;
    const publisher = new S3Publisher({ bucket: await makeBucket(), region: 'us-east-1', endpoint, ca });
    await expect(publisher.read('jwks')).rejects.toMatchObject({
      code: 'PUBLISHER_ACCESS_DENIED',
      retryable: false,
      message: expect.stringContaining('no AWS credentials') as unknown,
    });
  });

  test('are wrong: refused, and not shown', async () => {
    const credentials = { accessKeyId: 'keyturn', secretAccessKey: 'wrong-secret' };
    const publisher = publisherFor(await makeBucket(), { credentials });
    const error: unknown = await publisher.read('jwks').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'PUBLISHER_ACCESS_DENIED', retryable: false, cause: undefined });
    expect(JSON.stringify(error) + String(error)).not.toMatch(/wrong-secret|AWS4-HMAC/);
  });
});

describe('rights', () => {
  test.each([
    [
      's3:PutObject',
      async (publisher: S3Publisher) => publisher.write('jwks', 'x', (await publisher.read('jwks')) ?? 'absent'),
    ],
    ['s3:GetObject', (publisher: S3Publisher) => publisher.read('jwks')],
  ])('without %s: refused, and the policy that is needed is named', async (without, use) => {
    const bucket = await makeBucket({ without, isPublic: false });
    await storeAs(bucket, 'keys.json', 'former');
    await expect(use(publisherFor(bucket))).rejects.toMatchObject({
      code: 'PUBLISHER_ACCESS_DENIED',
      subject: `${server.endpoint}/${bucket}/keys.json`,
      message: expect.stringContaining('deploy/s3-policy.json') as unknown,
    });
  });

  test('reach to the documents alone', async () => {
    const bucket = await makeBucket();
    const publisher = publisherFor(bucket, { jwksKey: 'other.json' });
    await expect(publisher.write('jwks', 'x', 'absent')).rejects.toMatchObject({ code: 'PUBLISHER_ACCESS_DENIED' });
  });
});

describe('the bucket', () => {
  test('is missing', async () => {
    const publisher = publisherFor('nowhere');
    const missing = { code: 'PUBLISHER_CONTAINER_MISSING', retryable: false };
    await expect(publisher.read('jwks')).rejects.toMatchObject(missing);
    await expect(publisher.write('jwks', 'x', 'absent')).rejects.toMatchObject(missing);
  });

  test('is private: its owner writes, nobody reads, and no ACL is tried', async () => {
    const bucket = await makeBucket({ isPublic: false });
    await publisherFor(bucket).write('jwks', 'x', 'absent');
    const fetch = createTrustingFetch(server.ca);
    await expect(readPublic(`${server.endpoint}/${bucket}/keys.json`, { fetch })).rejects.toMatchObject({
      code: 'JWKS_NOT_PUBLIC',
    });
  });
});

describe('the object', () => {
  test('keeps the metadata that others attached', async () => {
    const bucket = await makeBucket();
    await storeAs(bucket, 'keys.json', 'one', { Metadata: { owner: 'terraform' } });
    const publisher = publisherFor(bucket);
    await publisher.write('jwks', 'two', (await publisher.read('jwks')) ?? 'absent');
    const url = `${server.endpoint}/${bucket}/keys.json`;
    const answer = await createTrustingFetch(server.ca)(url);
    expect(answer.headers.get('x-amz-meta-owner')).toBe('terraform');
    expect(await answer.text()).toBe('two');
  });

  test('has the cache control that is told', async () => {
    const bucket = await makeBucket();
    await publisherFor(bucket, { cacheControl: 'no-cache' }).write('jwks', '{}', 'absent');
    const fetch = createTrustingFetch(server.ca);
    const { cacheControl } = await readPublic(`${server.endpoint}/${bucket}/keys.json`, { fetch });
    expect(cacheControl).toBe('no-cache');
  });
});

describe('settings that are refused before anything is sent', () => {
  test.each(['minio', 'ftp://minio.example', 'https://user:s3cret@minio.example', 'https://minio.example?key=s3cret'])(
    'endpoint %s',
    (endpoint) => {
      expect(() => publisherFor('oidc', { endpoint })).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.not.stringContaining('s3cret') as unknown }),
      );
    },
  );
});
