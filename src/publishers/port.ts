// Where relying parties find the issuer's documents.

/** The two documents of an OpenID issuer (OpenID Connect Discovery 1.0, RFC 7517). */
export type IssuerDocument = 'jwks' | 'discovery';

export interface StoredDocument {
  readonly body: string;
  /** Opaque version of what was read, for the precondition of the next write. */
  readonly etag: string;
}

/** Write only over exactly this version, or only where nothing is yet. */
export type Precondition = { readonly etag: string } | 'absent';

export interface JwksPublisher {
  /** For people, e.g. `azure-blob https://acct.blob.core.windows.net/oidc`. Without credentials. */
  readonly description: string;

  /** `by-trusting`: nothing is written, the API servers show what they trust. Default: documents are written. */
  readonly publishes?: 'by-trusting';

  /** The stored document as its owner sees it (not through the public URL), or undefined where there is none. */
  read(document: IssuerDocument): Promise<StoredDocument | undefined>;

  /**
   * Replaces the document, with content type and cache control set.
   * @throws JWKS_CHANGED (retryable) where the precondition no longer holds
   */
  write(document: IssuerDocument, body: string, precondition: Precondition): Promise<void>;

  /**
   * Shows that the JWKS could be written, by a write whose precondition cannot hold: it changes nothing. Where there is no JWKS yet nothing
   * is shown.
   * @throws PUBLISHER_ACCESS_DENIED where it could not; CONFIG_INVALID where the store writes in spite of the precondition
   */
  assertWritable?(): Promise<void>;
}
