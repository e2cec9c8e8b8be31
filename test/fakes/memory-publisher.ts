// A publisher in memory, with a public address of its own, for tests of what uses one.
import { KeyturnError } from '../../src/errors.ts';
import type { IssuerDocument, JwksPublisher, Precondition, StoredDocument } from '../../src/publishers/port.ts';
import { decodeUtf8 } from '../../src/publishers/stored-content.ts';
import type { DocumentFetch } from '../../src/publishers/trusting-fetch.ts';

export class MemoryPublisher implements JwksPublisher {
  readonly description = 'memory';
  readonly #documents = new Map<
    IssuerDocument,
    StoredDocument & { readonly contentType: string; readonly bytes: Buffer }
  >();
  #version = 0;
  /** Everything that was written, in its order. */
  readonly written: { readonly document: IssuerDocument; readonly body: string }[] = [];
  /** Set to false: nothing can be reached, by anyone. */
  isUp = true;
  /** Set to false: the public address refuses. */
  isPublic = true;
  /** Runs between the check of a precondition and the caller's next step: a place for another writer. */
  beforeWrite: () => Promise<void> = () => Promise.resolve();

  publicUrl(document: IssuerDocument): string {
    return `https://memory.test/${document}`;
  }

  /** As another tool does it. */
  store(document: IssuerDocument, bytes: Buffer, contentType: string): void {
    this.#version += 1;
    this.#documents.set(document, { body: bytes.toString(), bytes, contentType, etag: `"${this.#version}"` });
  }

  /** What a relying party gets. */
  readonly publicFetch: DocumentFetch = async (url) => {
    await Promise.resolve();
    if (!this.isUp)
      throw new TypeError('fetch failed', { cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) });
    const document = this.#documents.get(String(url).endsWith('/jwks') ? 'jwks' : 'discovery');
    if (!this.isPublic) return new Response('private', { status: 403 });
    if (document === undefined) return new Response('missing', { status: 404 });
    const headers = { 'content-type': document.contentType, 'cache-control': 'public, max-age=300' };
    return new Response(document.body, { headers });
  };

  async read(document: IssuerDocument): Promise<StoredDocument | undefined> {
    await this.#reach();
    const stored = this.#documents.get(document);
    if (stored === undefined) return undefined;
    return { body: decodeUtf8(stored.bytes, this.publicUrl(document)), etag: stored.etag };
  }

  async write(document: IssuerDocument, body: string, precondition: Precondition): Promise<void> {
    await this.#reach();
    await this.beforeWrite();
    const present = this.#documents.get(document);
    const expected = precondition === 'absent' ? undefined : precondition.etag;
    if (present?.etag !== expected) {
      throw new KeyturnError('JWKS_CHANGED', `${document} was changed by another writer`, {
        subject: this.publicUrl(document),
        remedy: 'Read it again',
        retryable: true,
      });
    }
    this.store(document, Buffer.from(body), 'application/json');
    this.written.push({ document, body });
  }

  /** Set to false: whoever writes is refused. */
  isWritable = true;

  async assertWritable(): Promise<void> {
    await this.#reach();
    if (this.isWritable) return;
    const remedy = 'Let it be written';
    throw new KeyturnError('PUBLISHER_ACCESS_DENIED', 'the memory may not be written', { subject: 'memory', remedy });
  }

  async #reach(): Promise<void> {
    await Promise.resolve();
    if (this.isUp) return;
    throw new KeyturnError('PUBLISHER_UNREACHABLE', 'the memory is away', {
      subject: 'memory',
      remedy: 'Wait',
      retryable: true,
    });
  }
}
