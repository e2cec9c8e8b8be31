// Bytes of a file as text, and back.
import { createHash } from 'node:crypto';

/** A byte order mark is content like any other. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws TypeError (ERR_ENCODING_INVALID_ENCODED_DATA) for what is not UTF-8: it could not be written back byte for byte */
export function decodeContent(bytes: Uint8Array): string {
  return utf8.decode(bytes);
}

/** Hex. */
export function sha256Of(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}
