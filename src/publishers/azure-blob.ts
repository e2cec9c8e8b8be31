// Publishes the issuer's documents as blobs of an Azure Storage container.
import { getCACertificates } from 'node:tls';
import { buffer } from 'node:stream/consumers';
import type { TokenCredential } from '@azure/identity';
import { BlobServiceClient, ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import type { BlockBlobClient, StoragePipelineOptions } from '@azure/storage-blob';
import { KeyturnError } from '../errors.ts';
import { MAX_JWKS_LENGTH } from '../jwks/jwks.ts';
import { isBlobMissing, toPublisherError } from './azure-errors.ts';
import type { IssuerDocument, JwksPublisher, Precondition, StoredDocument } from './port.ts';
import { expectRefusal } from './refused-write.ts';
import {
  assertSize,
  CONTENT_TYPE,
  decodeUtf8,
  discard,
  DEFAULT_CACHE_CONTROL,
  malformedContent,
} from './stored-content.ts';

/** `identity`: a credential of @azure/identity, or `default` for its DefaultAzureCredential. */
export type AzureCredentials =
  { readonly connectionString: string } | { readonly sas: string } | { readonly identity: TokenCredential | 'default' };

export interface AzureBlobPublisherOptions {
  /** E.g. `https://acct.blob.core.windows.net/oidc`. */
  readonly containerUrl: string;
  readonly credentials: AzureCredentials;
  /** Path of the JWKS in the container. Default `openid/v1/jwks`. */
  readonly jwksPath?: string;
  /** Path of the discovery document in the container. Default `.well-known/openid-configuration`. */
  readonly discoveryPath?: string;
  /** `Cache-Control` of both documents. Default `public, max-age=300`. */
  readonly cacheControl?: string;
  /** PEM of a certificate authority that is trusted besides the usual ones. Default: none. */
  readonly ca?: string;
}

/** Temporal does the long retries. */
const MAX_TRIES = 2;
const RETRY_DELAY_MS = 300;
const TRY_TIMEOUT_MS = 10_000;

export class AzureBlobPublisher implements JwksPublisher {
  readonly description: string;
  readonly #options: AzureBlobPublisherOptions;
  #container: Promise<ContainerClient> | undefined;

  /** @throws CONFIG_INVALID for a URL without a container or with credentials in it, or for a malformed connection string */
  constructor(options: AzureBlobPublisherOptions) {
    assertContainerUrl(options);
    this.description = `azure-blob ${options.containerUrl}`;
    this.#options = options;
  }

  /** @throws PUBLISHER_CONTAINER_MISSING PUBLISHER_ACCESS_DENIED PUBLISHER_UNREACHABLE; JWKS_MALFORMED where it is not UTF-8 or too large */
  async read(document: IssuerDocument): Promise<StoredDocument | undefined> {
    const blob = await this.#blob(document);
    try {
      const response = await blob.download(0, undefined, { abortSignal: timeout() });
      const { readableStreamBody: stream, etag, contentLength = 0 } = response;
      if (contentLength > MAX_JWKS_LENGTH) discard(stream);
      assertSize(contentLength, this.#url(document));
      if (stream === undefined || etag === undefined)
        throw malformedContent('came without content or ETag', this.#url(document));
      return { body: decodeUtf8(await buffer(stream), this.#url(document)), etag };
    } catch (error) {
      if (isBlobMissing(error)) return undefined;
      throw toPublisherError(error, this.#url(document));
    }
  }

  /** As `read`, and JWKS_CHANGED. Sets content type `application/json` and the cache control; keeps the blob's metadata. */
  async write(document: IssuerDocument, body: string, precondition: Precondition): Promise<void> {
    const blob = await this.#blob(document);
    await this.#told(document, async () => {
      const metadata = precondition === 'absent' ? {} : await readMetadata(blob, precondition.etag);
      await this.#upload(blob, body, precondition, metadata);
    });
  }

  async assertWritable(): Promise<void> {
    const present = await this.read('jwks');
    if (present === undefined) return;
    const blob = await this.#blob('jwks');
    await expectRefusal(
      () => this.#told('jwks', () => this.#upload(blob, present.body, { etag: '"1"' }, {})),
      this.#url('jwks'),
    );
  }

  /** What the store answers, in a publisher's words. */
  async #told(document: IssuerDocument, request: () => Promise<void>): Promise<void> {
    try {
      await request();
    } catch (error) {
      throw toPublisherError(error, this.#url(document));
    }
  }

  async #upload(
    blob: BlockBlobClient,
    body: string,
    precondition: Precondition,
    metadata: Record<string, string>,
  ): Promise<void> {
    await blob.upload(body, Buffer.byteLength(body), {
      conditions: precondition === 'absent' ? { ifNoneMatch: '*' } : { ifMatch: precondition.etag },
      metadata,
      blobHTTPHeaders: {
        blobContentType: CONTENT_TYPE,
        blobCacheControl: this.#options.cacheControl ?? DEFAULT_CACHE_CONTROL,
      },
      abortSignal: timeout(),
    });
  }

  async #blob(document: IssuerDocument): Promise<BlockBlobClient> {
    this.#container ??= createContainerClient(this.#options);
    return (await this.#container).getBlockBlobClient(this.#path(document));
  }

  #path(document: IssuerDocument): string {
    const { jwksPath = 'openid/v1/jwks', discoveryPath = '.well-known/openid-configuration' } = this.#options;
    return document === 'jwks' ? jwksPath : discoveryPath;
  }

  #url(document: IssuerDocument): string {
    return `${this.#options.containerUrl}/${this.#path(document)}`;
  }
}

/** Put Blob replaces metadata too: what others attached goes along. */
async function readMetadata(blob: BlockBlobClient, etag: string): Promise<Record<string, string>> {
  const { metadata } = await blob.getProperties({ conditions: { ifMatch: etag }, abortSignal: timeout() });
  return metadata ?? {};
}

async function createContainerClient({
  containerUrl,
  credentials,
  ca,
}: AzureBlobPublisherOptions): Promise<ContainerClient> {
  // The client hands `tlsOptions` on to @azure/core-rest-pipeline without declaring it. A `ca` replaces the usual ones: they are added.
  const options: StoragePipelineOptions & { readonly tlsOptions?: { readonly ca: string[] } } = {
    retryOptions: { maxTries: MAX_TRIES, retryDelayInMs: RETRY_DELAY_MS, tryTimeoutInMs: TRY_TIMEOUT_MS },
    ...(ca === undefined ? {} : { tlsOptions: { ca: [...getCACertificates(), ca] } }),
  };
  if ('sas' in credentials) return new ContainerClient(withSas(containerUrl, credentials.sas), undefined, options);
  if ('connectionString' in credentials) {
    const { credential, url } = openConnectionString(credentials.connectionString, containerUrl);
    if (credential instanceof StorageSharedKeyCredential) return new ContainerClient(containerUrl, credential, options);
    return new ContainerClient(withSas(containerUrl, new URL(url).search), undefined, options);
  }
  // Loaded only where it is used: it is slow to load.
  const identity =
    credentials.identity === 'default'
      ? new (await import('@azure/identity')).DefaultAzureCredential()
      : credentials.identity;
  return new ContainerClient(containerUrl, identity, options);
}

function withSas(containerUrl: string, sas: string): string {
  return `${containerUrl}?${sas.replace(/^\?/, '')}`;
}

function openConnectionString(connectionString: string, subject: string): BlobServiceClient {
  try {
    return BlobServiceClient.fromConnectionString(connectionString);
  } catch {
    // No cause: it may quote the string.
    throw invalid(
      'The connection string is malformed',
      'Copy it again from `az storage account show-connection-string`',
      subject,
    );
  }
}

function assertContainerUrl({ containerUrl, credentials }: AzureBlobPublisherOptions): void {
  const remedy = 'Write it like `https://acct.blob.core.windows.net/oidc`';
  const url = URL.parse(containerUrl);
  const subject = url === null ? 'containerUrl' : `${url.origin}${url.pathname}`;
  if (url === null || !/^https?:$/.test(url.protocol)) throw invalid('containerUrl is not a URL', remedy, subject);
  if (url.pathname === '/' || url.pathname.endsWith('/'))
    throw invalid(`${subject} names no container`, remedy, subject);
  if (url.search + url.hash + url.username + url.password !== '') {
    throw invalid(
      `${subject} is followed by more than the container's path`,
      `${remedy}; a SAS belongs into credentials`,
      subject,
    );
  }
  if ('identity' in credentials && url.protocol !== 'https:') {
    throw invalid(`${subject} is not https, where an identity's token would be readable`, remedy, subject);
  }
  if ('connectionString' in credentials) openConnectionString(credentials.connectionString, subject);
}

/** For all tries of one call. */
function timeout(): AbortSignal {
  return AbortSignal.timeout(MAX_TRIES * TRY_TIMEOUT_MS + RETRY_DELAY_MS);
}

function invalid(problem: string, remedy: string, subject: string): KeyturnError {
  return new KeyturnError('CONFIG_INVALID', problem, { subject, remedy });
}
