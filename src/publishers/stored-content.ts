// What may be stored as a document of an issuer, whatever it is stored in.
import { Readable } from 'node:stream';
import { KeyturnError } from '../errors.ts';
import { MAX_JWKS_LENGTH } from '../jwks/jwks.ts';

/** Of every document, where the store keeps one. */
export const CONTENT_TYPE = 'application/json';

/** Default of every publisher. */
export const DEFAULT_CACHE_CONTROL = 'public, max-age=300';

/** Of a body that is not going to be read: what ends it later must not be an error that nobody listens to. */
export function discard(body: unknown): void {
  if (!(body instanceof Readable)) return;
  body.on('error', () => undefined);
  body.destroy();
}

/** @throws JWKS_MALFORMED above 1 MiB */
export function assertSize(bytes: number, subject: string): void {
  if (bytes > MAX_JWKS_LENGTH) throw malformedContent(`has ${bytes} bytes`, subject);
}

/** Nothing is replaced and no byte order mark dropped: what is written back must be what was there. @throws JWKS_MALFORMED */
export function decodeUtf8(bytes: Uint8Array, subject: string): string {
  assertSize(bytes.length, subject);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformedContent('is not UTF-8', subject);
  }
}

/** @param what e.g. `is not UTF-8` */
export function malformedContent(what: string, subject: string): KeyturnError {
  return new KeyturnError('JWKS_MALFORMED', `${subject} ${what}`, {
    subject,
    remedy: 'Look at what is stored there, and replace it by a JSON document of at most 1 MiB, or remove it',
  });
}
