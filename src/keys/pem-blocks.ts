// Finds the PEM blocks of a text (RFC 7468, and RFC 1421 headers as old OpenSSL writes them).

export interface PemBlock {
  /** What stands after `BEGIN`, e.g. `RSA PUBLIC KEY`. */
  readonly label: string;
  /** The block as it stands in the source, from `-----BEGIN` to the last dash, without the line's end. */
  readonly text: string;
  /** The decoded body, or undefined where it is not base64. */
  readonly der: Buffer | undefined;
  /** True for a body that needs a passphrase, in either of the two ways to say so. */
  readonly encrypted: boolean;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[ \t]*\r?\n([^-]*(?:-(?!----)[^-]*)*)-----END \1-----/g;
const HEADERS = /^(?:[A-Za-z0-9-]+:[^\n]*\n(?:[ \t]+\S[^\n]*\n)*)+[ \t]*\r?\n/;

/** Text outside of blocks is allowed and ignored, as RFC 7468 section 2 has it. A block without its end is not returned. */
export function findPemBlocks(text: string): readonly PemBlock[] {
  return Array.from(text.matchAll(BLOCK), ([block, label = '', body = '']) => {
    const headers = HEADERS.exec(body)?.[0] ?? '';
    return {
      label,
      text: block,
      der: decodeBase64(body.slice(headers.length)),
      encrypted: label === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type:\s*4,\s*ENCRYPTED/m.test(headers),
    };
  });
}

/** True where the text begins a block that it does not end, or ends otherwise: what a truncated copy looks like. */
export function hasBrokenPemBlock(text: string): boolean {
  return text.replaceAll(BLOCK, '').includes('-----BEGIN ');
}

/** Node's own decoder skips what is not base64; a key file with such bytes is damaged. */
function decodeBase64(body: string): Buffer | undefined {
  const compact = body.replaceAll(/\s/g, '');
  const wellFormed = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(compact);
  return wellFormed && compact !== '' ? Buffer.from(compact, 'base64') : undefined;
}
