// Adds, moves and removes one public key of a PEM text. Everything else in the text stays: other keys, comments, line ends.
import type { Kid, PublicKey } from '../../../rotation/key.ts';
import { findKeys } from '../replace-key.ts';
import type { KeyBlock } from '../replace-key.ts';

/**
 * The text with the key behind another one, or behind the last where that is not there; as it is where it holds the key. `removeKey` gives back
 * what it was, byte for byte.
 * @param subject `node:path`, for errors
 * @throws KEY_MALFORMED KEY_ENCRYPTED KEY_UNSUPPORTED
 */
export function addKeyBehind(
  pem: string,
  other: Kid,
  key: Pick<PublicKey, 'kid' | 'publicPem'>,
  subject: string,
): string {
  const blocks = findKeys(pem, subject);
  if (blocks.some(({ kid }) => kid === key.kid)) return pem;
  const behind = blocks.findLast(({ kid }) => kid === other) ?? blocks.at(-1);
  if (behind === undefined) return pem;
  const eol = eolOf(pem.slice(behind.start, behind.end));
  const text = key.publicPem.trimEnd().replaceAll(/\r?\n/g, eol);
  const lineEnd = /^[ \t]*\r?\n/.exec(pem.slice(behind.end))?.[0];
  if (lineEnd === undefined) return `${pem.slice(0, behind.end)}${eol}${text}${pem.slice(behind.end)}`;
  const place = behind.end + lineEnd.length;
  return `${pem.slice(0, place)}${text}${eol}${pem.slice(place)}`;
}

/**
 * The text with that key, which it holds, before all others: kubeadm reads the first one only, and expects it to be of the signer's kind.
 * @throws as above
 */
export function moveKeyFirst(pem: string, key: Kid, subject: string): string {
  const [first, ...others] = findKeys(pem, subject);
  const block = others.find(({ kid }) => kid === key);
  if (first === undefined || block === undefined || first.kid === key) return pem;
  const text = pem.slice(block.start, block.end);
  const rest = cut(pem, block);
  return `${rest.slice(0, first.start)}${text}${eolOf(text)}${rest.slice(first.start)}`;
}

/** The text with one key moved behind another one: what `addKeyBehind` would have made. @throws as above */
export function moveKeyBehind(pem: string, key: Kid, other: Kid, subject: string): string {
  const blocks = findKeys(pem, subject);
  const block = blocks.find(({ kid }) => kid === key);
  if (block === undefined || blocks.every(({ kid }) => kid !== other)) return pem;
  const publicPem = `${pem.slice(block.start, block.end)}\n`;
  return addKeyBehind(cut(pem, block), other, { kid: key, publicPem }, subject);
}

/** The text without that key, unless it holds no other one: no component starts with an empty file. @throws as above */
export function removeKey(pem: string, key: Kid, subject: string): string {
  const blocks = findKeys(pem, subject);
  if (blocks.every(({ kid }) => kid === key)) return pem;
  return blocks.filter(({ kid }) => kid === key).reduceRight(cut, pem);
}

/** A line of its own goes with its end; the last line of a text that does not end with one goes with the end before it. */
function cut(pem: string, { start, end }: Pick<KeyBlock, 'start' | 'end'>): string {
  const rest = pem.slice(end);
  const before = pem.slice(0, start);
  return rest === '' ? before.replace(/\r?\n$/, '') : before + rest.replace(/^[ \t]*\r?\n/, '');
}

function eolOf(pem: string): '\n' | '\r\n' {
  return pem.includes('\r\n') ? '\r\n' : '\n';
}
