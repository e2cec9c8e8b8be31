// Publishes the issuer's documents as objects of an S3 bucket, of AWS or of any server that speaks its protocol.
import { Agent } from 'node:https';
import { getCACertificates } from 'node:tls';
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import { KeyturnError } from '../errors.ts';
import { MAX_JWKS_LENGTH } from '../jwks/jwks.ts';
import type { IssuerDocument, JwksPublisher, Precondition, StoredDocument } from './port.ts';
import { expectRefusal } from './refused-write.ts';
import { isObjectMissing, toS3PublisherError } from './s3-errors.ts';
import {
  assertSize,
  CONTENT_TYPE,
  decodeUtf8,
  discard,
  DEFAULT_CACHE_CONTROL,
  malformedContent,
} from './stored-content.ts';

export interface S3PublisherOptions {
  readonly bucket: string;
  /** E.g. `eu-central-1`. Servers of others want any name, often `us-east-1`. */
  readonly region: string;
  /** Of a server that is not of AWS, e.g. `https://minio.example:9000`; the bucket follows in the path. Default: AWS. */
  readonly endpoint?: string;
  /** Key of the JWKS. Default `keys.json`. */
  readonly jwksKey?: string;
  /** Key of the discovery document. Default `.well-known/openid-configuration`. */
  readonly discoveryKey?: string;
  /** `Cache-Control` of both documents. Default `public, max-age=300`. */
  readonly cacheControl?: string;
  /** Default: the SDK's default chain (environment, profile, web identity, ECS, EC2). */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** PEM of a certificate authority that is trusted besides the usual ones. Default: none. */
  readonly ca?: string;
}

/** Temporal does the long retries. */
const MAX_ATTEMPTS = 2;
const ATTEMPT_TIMEOUT_MS = 10_000;

export class S3Publisher implements JwksPublisher {
  readonly description: string;
  readonly #options: S3PublisherOptions;
  readonly #client: S3Client;

  /** @throws CONFIG_INVALID for an endpoint that is not a URL or has credentials in it */
  constructor(options: S3PublisherOptions) {
    assertEndpoint(options.endpoint);
    this.description = `s3 ${address(options)}`;
    this.#options = options;
    this.#client = new S3Client(clientConfig(options));
  }

  /** @throws PUBLISHER_CONTAINER_MISSING PUBLISHER_ACCESS_DENIED PUBLISHER_UNREACHABLE; JWKS_MALFORMED where it is not UTF-8 or too large */
  async read(document: IssuerDocument): Promise<StoredDocument | undefined> {
    const subject = this.#subject(document);
    try {
      const command = new GetObjectCommand(this.#object(document));
      const { Body: content, ETag: etag, ContentLength: size = 0 } = await this.#client.send(command, timeout());
      if (size > MAX_JWKS_LENGTH) discard(content);
      assertSize(size, subject);
      if (content === undefined || etag === undefined) throw malformedContent('came without content or ETag', subject);
      return { body: decodeUtf8(await content.transformToByteArray(), subject), etag };
    } catch (error) {
      if (isObjectMissing(error)) return undefined;
      throw toS3PublisherError(error, subject);
    }
  }

  /**
   * As `read`, and JWKS_CHANGED. Sets content type `application/json` and the cache control, and no ACL: whether the public may read is
   * the bucket's policy. Keeps the object's metadata.
   */
  async write(document: IssuerDocument, body: string, precondition: Precondition): Promise<void> {
    await this.#told(document, async () => {
      const metadata = precondition === 'absent' ? {} : await this.#readMetadata(document, precondition.etag);
      await this.#put(document, body, precondition, metadata);
    });
  }

  async assertWritable(): Promise<void> {
    const present = await this.read('jwks');
    if (present === undefined) return;
    await expectRefusal(
      () => this.#told('jwks', () => this.#put('jwks', present.body, { etag: '"1"' }, {})),
      this.#subject('jwks'),
    );
  }

  /** What the store answers, in a publisher's words. */
  async #told(document: IssuerDocument, request: () => Promise<void>): Promise<void> {
    try {
      await request();
    } catch (error) {
      throw toS3PublisherError(error, this.#subject(document));
    }
  }

  async #put(
    document: IssuerDocument,
    body: string,
    precondition: Precondition,
    metadata: Record<string, string>,
  ): Promise<void> {
    const command = new PutObjectCommand({
      ...this.#object(document),
      ...(precondition === 'absent' ? { IfNoneMatch: '*' } : { IfMatch: precondition.etag }),
      Body: body,
      ContentType: CONTENT_TYPE,
      CacheControl: this.#options.cacheControl ?? DEFAULT_CACHE_CONTROL,
      Metadata: metadata,
    });
    await this.#client.send(command, timeout());
  }

  /** An object is replaced with its metadata: what others attached goes along. */
  async #readMetadata(document: IssuerDocument, etag: string): Promise<Record<string, string>> {
    const command = new HeadObjectCommand({ ...this.#object(document), IfMatch: etag });
    return (await this.#client.send(command, timeout())).Metadata ?? {};
  }

  #object(document: IssuerDocument): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#options.bucket, Key: this.#key(document) };
  }

  #key(document: IssuerDocument): string {
    const { jwksKey = 'keys.json', discoveryKey = '.well-known/openid-configuration' } = this.#options;
    return document === 'jwks' ? jwksKey : discoveryKey;
  }

  #subject(document: IssuerDocument): string {
    return `${address(this.#options)}/${this.#key(document)}`;
  }
}

/** For people. */
function address({ bucket, endpoint }: S3PublisherOptions): string {
  return endpoint === undefined ? `s3://${bucket}` : `${endpoint.replace(/\/$/, '')}/${bucket}`;
}

function clientConfig({ region, endpoint, credentials, ca }: S3PublisherOptions): S3ClientConfig {
  return {
    region,
    maxAttempts: MAX_ATTEMPTS,
    // Servers of others need not know the checksums that AWS has added since.
    ...(endpoint === undefined
      ? {}
      : {
          endpoint,
          forcePathStyle: true,
          requestChecksumCalculation: 'WHEN_REQUIRED',
          responseChecksumValidation: 'WHEN_REQUIRED',
        }),
    ...(credentials === undefined ? {} : { credentials }),
    requestHandler: {
      connectionTimeout: ATTEMPT_TIMEOUT_MS,
      requestTimeout: ATTEMPT_TIMEOUT_MS,
      throwOnRequestTimeout: true,
      // A `ca` replaces the usual ones: they are added.
      httpsAgent: new Agent({ keepAlive: true, ...(ca === undefined ? {} : { ca: [...getCACertificates(), ca] }) }),
    },
  };
}

/** For all attempts of one call. */
function timeout(): { readonly abortSignal: AbortSignal } {
  return { abortSignal: AbortSignal.timeout(MAX_ATTEMPTS * ATTEMPT_TIMEOUT_MS + 1_000) };
}

function assertEndpoint(endpoint: string | undefined): void {
  if (endpoint === undefined) return;
  const url = URL.parse(endpoint);
  const isBare = url !== null && url.username + url.password + url.search + url.hash === '';
  if (isBare && /^https?:$/.test(url.protocol)) return;
  throw new KeyturnError('CONFIG_INVALID', 'The endpoint of the S3 publisher is not a bare http or https URL', {
    subject: url === null ? 'endpoint' : url.host,
    remedy: 'Write it like `https://minio.example:9000`; credentials belong into the environment of the worker',
  });
}
