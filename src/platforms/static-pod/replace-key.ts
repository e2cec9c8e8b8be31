// Puts one key in the place of another in a PEM text. Everything else in the text stays: other keys, comments, line ends.
import { KeyturnError } from '../../errors.ts';
import { findPemBlocks } from '../../keys/pem-blocks.ts';
import { parsePrivateKey, parsePublicKeys } from '../../keys/pem.ts';
import type { SigningKey } from '../../keys/signing-key.ts';
import type { Kid } from '../../rotation/key.ts';

/** One key of a PEM text, and where it stands, without its line end. */
export interface KeyBlock {
  readonly kid: Kid;
  readonly isPrivate: boolean;
  readonly start: number;
  readonly end: number;
}

/**
 * The text with `next` wherever it holds `former`, private for private and public for public. Where it holds `next` besides, `former` is
 * just taken out. Done twice it is as done once.
 * @param subject `node:path`, for errors
 * @throws KEY_MALFORMED KEY_ENCRYPTED KEY_UNSUPPORTED
 */
export function replaceKey(pem: string, former: Kid, next: SigningKey, subject: string): string {
  const blocks = findKeys(pem, subject);
  let result = pem;
  for (const { kid, isPrivate, start, end } of blocks.toReversed()) {
    if (kid !== former) continue;
    const rest = result.slice(end);
    const present = blocks.some((block) => block.kid === next.kid && (block.isPrivate || !isPrivate));
    const replacement = isPrivate ? next.privatePem : next.publicPem;
    result = result.slice(0, start) + (present ? rest.replace(/^\r?\n/, '') : replacement.trimEnd() + rest);
  }
  return result;
}

/** The text with the public key at its end, unless it holds that key. @throws KEY_MALFORMED KEY_ENCRYPTED KEY_UNSUPPORTED */
export function addPublicKey(
  pem: string,
  key: { readonly kid: Kid; readonly publicPem: string },
  subject: string,
): string {
  if (holdsKey(pem, key.kid, subject)) return pem;
  return `${pem.endsWith('\n') ? pem : `${pem}\n`}${key.publicPem}`;
}

/** @throws KEY_MALFORMED KEY_ENCRYPTED KEY_UNSUPPORTED */
export function holdsKey(pem: string, kid: Kid, subject: string): boolean {
  return findKeys(pem, subject).some((block) => block.kid === kid);
}

/** In the order of the text. @throws KEY_MALFORMED KEY_ENCRYPTED KEY_UNSUPPORTED; KEY_MALFORMED where there is none */
export function findKeys(pem: string, subject: string): readonly KeyBlock[] {
  const found: KeyBlock[] = [];
  let position = 0;
  let parametersStart: number | undefined;
  for (const { label, text } of findPemBlocks(pem)) {
    const start = pem.indexOf(text, position);
    const between = pem.slice(position, start);
    position = start + text.length;
    // `openssl ecparam -genkey` writes the curve before the key: it belongs to that key and goes with it.
    if (label === 'EC PARAMETERS') {
      parametersStart = start;
      continue;
    }
    const isPrivate = label.endsWith('PRIVATE KEY');
    const kid = isPrivate ? parsePrivateKey(text, subject).kid : parsePublicKeys(text, subject)[0]?.kid;
    if (kid !== undefined) {
      const own = parametersStart !== undefined && between.trim() === '' ? parametersStart : start;
      found.push({ kid, isPrivate, start: own, end: position });
    }
    parametersStart = undefined;
  }
  if (found.length > 0) return found;
  throw new KeyturnError('KEY_MALFORMED', `${subject} holds no key`, {
    subject,
    remedy: 'Bring the key file back as the API server has read it',
  });
}
