// Publishes the issuer's documents as objects of a Google Cloud Storage bucket, by its JSON API.
import { GoogleAuth } from 'google-auth-library';
import { KeyturnError } from '../errors.ts';
import { MAX_JWKS_LENGTH } from '../jwks/jwks.ts';
import { BUCKET_MISSING, toAnswerError, toCredentialError, toGcsPublisherError } from './gcs-errors.ts';
import type { IssuerDocument, JwksPublisher, Precondition, StoredDocument } from './port.ts';
import { expectRefusal } from './refused-write.ts';
import { assertSize, CONTENT_TYPE, decodeUtf8, DEFAULT_CACHE_CONTROL, malformedContent } from './stored-content.ts';
import { toKeyturnError } from './store-verdict.ts';

export interface GcsPublisherOptions {
  readonly bucket: string;
  /** Of an emulator. Default `https://storage.googleapis.com`. */
  readonly endpoint?: string;
  /** Name of the JWKS' object. Default `keys.json`. */
  readonly jwksObject?: string;
  /** Name of the discovery document's object. Default `.well-known/openid-configuration`. */
  readonly discoveryObject?: string;
  /** `Cache-Control` of both documents: without one a public object is cached for an hour. Default `public, max-age=300`. */
  readonly cacheControl?: string;
  /** `anonymous` is for emulators. Default: Application Default Credentials. */
  readonly credentials?: 'default' | 'anonymous';
}

const SCOPE = 'https://www.googleapis.com/auth/devstorage.read_write';
const TIMEOUT_MS = 10_000;

export class GcsPublisher implements JwksPublisher {
  readonly description: string;
  readonly #options: GcsPublisherOptions;
  readonly #endpoint: string;
  readonly #auth = new GoogleAuth({ scopes: SCOPE });

  /** @throws CONFIG_INVALID for an endpoint that is not a bare URL */
  constructor(options: GcsPublisherOptions) {
    assertEndpoint(options.endpoint);
    this.#options = options;
    this.#endpoint = (options.endpoint ?? 'https://storage.googleapis.com').replace(/\/$/, '');
    this.description = `gcs gs://${options.bucket}`;
  }

  /** @throws PUBLISHER_CONTAINER_MISSING PUBLISHER_ACCESS_DENIED PUBLISHER_UNREACHABLE; JWKS_MALFORMED where it is not UTF-8 or too large */
  async read(document: IssuerDocument): Promise<StoredDocument | undefined> {
    const subject = this.#subject(document);
    const { status, headers, content } = await this.#send(document, this.#objectUrl(document, 'alt=media'));
    if (status === 404) {
      await this.#assertBucket(document);
      return undefined;
    }
    if (status !== 200) throw toAnswerError(status, subject);
    const generation = headers.get('x-goog-generation');
    if (generation === null) throw malformedContent('came without a generation', subject);
    return { body: decodeUtf8(content, subject), etag: generation };
  }

  /** As `read`, and JWKS_CHANGED. Sets content type `application/json` and the cache control, and no ACL. Keeps the object's custom metadata. */
  async write(document: IssuerDocument, body: string, precondition: Precondition): Promise<void> {
    const generation = precondition === 'absent' ? '0' : precondition.etag;
    const metadata = precondition === 'absent' ? {} : await this.#readMetadata(document, generation);
    await this.#upload(document, body, generation, metadata);
  }

  async assertWritable(): Promise<void> {
    const present = await this.read('jwks');
    if (present === undefined) return;
    // Generations are times in microseconds: none is 1.
    await expectRefusal(() => this.#upload('jwks', present.body, '1', {}), this.#subject('jwks'));
  }

  async #upload(document: IssuerDocument, body: string, generation: string, metadata: unknown): Promise<void> {
    const resource = {
      name: this.#object(document),
      contentType: CONTENT_TYPE,
      cacheControl: this.#options.cacheControl ?? DEFAULT_CACHE_CONTROL,
      metadata,
    };
    const query = `uploadType=multipart&ifGenerationMatch=${encodeURIComponent(generation)}`;
    const url = `${this.#endpoint}/upload/storage/v1/b/${encodeURIComponent(this.#options.bucket)}/o?${query}`;
    const { status } = await this.#send(document, url, relatedParts(resource, body));
    if (status === 404) await this.#assertBucket(document);
    if (status !== 200) throw toAnswerError(status, this.#subject(document));
  }

  /** An upload replaces metadata too: what others attached goes along. */
  async #readMetadata(document: IssuerDocument, generation: string): Promise<unknown> {
    const query = `fields=metadata&ifGenerationMatch=${encodeURIComponent(generation)}`;
    const { status, content } = await this.#send(document, this.#objectUrl(document, query));
    if (status !== 200) throw toAnswerError(status, this.#subject(document));
    const { metadata } = JSON.parse(new TextDecoder().decode(content)) as { readonly metadata?: unknown };
    return metadata ?? {};
  }

  /** An object that is missing and a bucket that is missing are both a 404: a bucket that is there can be listed. */
  async #assertBucket(document: IssuerDocument): Promise<void> {
    const bucket = encodeURIComponent(this.#options.bucket);
    const url = `${this.#endpoint}/storage/v1/b/${bucket}/o?maxResults=1&fields=kind`;
    const { status } = await this.#send(document, url);
    if (status === 404) throw toKeyturnError(BUCKET_MISSING, { status, reason: 'HTTP' }, this.#subject(document));
    if (status !== 200) throw toAnswerError(status, this.#subject(document));
  }

  async #send(document: IssuerDocument, url: string, form?: RelatedParts): Promise<Answer> {
    const subject = this.#subject(document);
    const headers = await this.#authorization(url, subject);
    if (form !== undefined) headers.set('content-type', form.contentType);
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const post = form === undefined ? {} : { method: 'POST', body: form.body };
      const response = await fetch(url, { headers, signal, redirect: 'manual', ...post });
      const size = Number(response.headers.get('content-length') ?? 0);
      if (size > MAX_JWKS_LENGTH) await response.body?.cancel();
      assertSize(size, subject);
      const content = new Uint8Array(await response.arrayBuffer());
      return { status: response.status, headers: response.headers, content };
    } catch (error) {
      throw toGcsPublisherError(error, subject);
    }
  }

  async #authorization(url: string, subject: string): Promise<Headers> {
    if (this.#options.credentials === 'anonymous') return new Headers();
    try {
      return new Headers(await this.#auth.getRequestHeaders(url));
    } catch (error) {
      throw toCredentialError(error, subject);
    }
  }

  #objectUrl(document: IssuerDocument, query: string): string {
    const { bucket } = this.#options;
    const object = encodeURIComponent(this.#object(document));
    return `${this.#endpoint}/storage/v1/b/${encodeURIComponent(bucket)}/o/${object}?${query}`;
  }

  #object(document: IssuerDocument): string {
    const { jwksObject = 'keys.json', discoveryObject = '.well-known/openid-configuration' } = this.#options;
    return document === 'jwks' ? jwksObject : discoveryObject;
  }

  #subject(document: IssuerDocument): string {
    return `gs://${this.#options.bucket}/${this.#object(document)}`;
  }
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly content: Uint8Array;
}

interface RelatedParts {
  readonly contentType: string;
  readonly body: string;
}

/** The object's resource and its content in one upload (RFC 2387), so that it never shows without its content type and cache control. */
function relatedParts(resource: object, content: string): RelatedParts {
  const boundary = `keyturn-${crypto.randomUUID()}`;
  const part = (type: string, text: string) => `--${boundary}\r\ncontent-type: ${type}\r\n\r\n${text}\r\n`;
  const parts = [part('application/json; charset=utf-8', JSON.stringify(resource)), part(CONTENT_TYPE, content)];
  return { contentType: `multipart/related; boundary=${boundary}`, body: `${parts.join('')}--${boundary}--\r\n` };
}

function assertEndpoint(endpoint: string | undefined): void {
  if (endpoint === undefined) return;
  const url = URL.parse(endpoint);
  const isBare = url !== null && url.username + url.password + url.search + url.hash === '';
  if (isBare && /^https?:$/.test(url.protocol)) return;
  throw new KeyturnError('CONFIG_INVALID', 'The endpoint of the GCS publisher is not a bare http or https URL', {
    subject: url === null ? 'endpoint' : url.host,
    remedy: 'Leave it out, unless you use an emulator; then write it like `http://127.0.0.1:4443`',
  });
}
