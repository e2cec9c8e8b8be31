// Inserts, removes and replaces one item of a YAML list in the source text, for lists with a line per item and for `[a, b]`.
import { unsupported } from './manifest.ts';
import type { Manifest, Word } from './manifest.ts';

/** Replace what stands between two offsets of the source. */
export interface TextChange {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** New items after the last of the given ones, each written as its counterpart is: same indentation, same quotes. */
export function insertAfter(manifest: Manifest, models: readonly Word[], texts: readonly string[]): TextChange {
  const tokens = texts.map((text, i) => {
    const { quote } = tokenOf(manifest, models[i]);
    return `${quote}${text}${quote}`;
  });
  const last = tokenOf(manifest, models.at(-1));
  if (last.word.flow) return { start: last.end, end: last.end, text: tokens.map((token) => `, ${token}`).join('') };
  const lines = tokens.map((token, i) => lineOf(manifest, models[i]).prefix + token);
  const { end, lineEnd } = lineOf(manifest, last.word);
  // A last line without its end stays without: the new ones come with the end before them.
  if (lineEnd === '') {
    const eol = manifest.source.includes('\r\n') ? '\r\n' : '\n';
    return { start: end, end, text: lines.map((line) => eol + line).join('') };
  }
  return { start: end, end, text: lines.map((line) => line + lineEnd).join('') };
}

/** Takes an item away with its whole line, or with the comma before it. @param list all items of its list */
export function removeItem(manifest: Manifest, word: Word, list: readonly Word[]): TextChange {
  const { source } = manifest;
  const token = tokenOf(manifest, word);
  if (word.flow) {
    const before = list[word.index - 1];
    const start = before === undefined ? undefined : tokenOf(manifest, before, 'any').end;
    if (start === undefined || !/^\s*,\s*$/.test(source.slice(start, token.start))) throw oddPlace(manifest, word);
    return { start, end: token.end, text: '' };
  }
  if (list.length === 1) throw oddPlace(manifest, word);
  const { start, end } = lineOf(manifest, word);
  return { start, end, text: '' };
}

/** The source with all of the changes. A file whose last line has no end stays without, whichever line that is now. */
export function applyChanges(source: string, changes: readonly TextChange[]): string {
  let result = source;
  for (const { start, end, text } of changes.toSorted((a, b) => b.start - a.start)) {
    result = result.slice(0, start) + text + result.slice(end);
  }
  return source.endsWith('\n') ? result : result.replace(/\r?\n$/, '');
}

/** Puts another end to an item's text, between the same quotes. */
export function replaceInItem(manifest: Manifest, word: Word, from: string, to: string): TextChange {
  const { end, quote } = tokenOf(manifest, word);
  return { start: end - quote.length - from.length, end: end - quote.length, text: to };
}

interface Token {
  readonly word: Word;
  readonly start: number;
  readonly end: number;
  readonly quote: '' | "'" | '"';
}

/** The item's place in the source. Refuses escapes, folded lines, tags: whatever is not the text itself between its quotes. */
function tokenOf(manifest: Manifest, word: Word | undefined, strictness: 'verbatim' | 'any' = 'verbatim'): Token {
  const range = word?.scalar.range;
  if (word === undefined || range == null) throw new TypeError('a word that was not parsed');
  const [start, end] = range;
  const raw = manifest.source.slice(start, end);
  const quote = raw.startsWith('"') ? '"' : raw.startsWith("'") ? "'" : '';
  const verbatim = raw === `${quote}${word.text}${quote}` && word.scalar.tag === undefined;
  if (!verbatim && strictness === 'verbatim') throw oddPlace(manifest, word);
  return { word, start, end, quote };
}

interface Line {
  /** Indentation, dash, blanks. */
  readonly prefix: string;
  readonly start: number;
  /** After the line's end. */
  readonly end: number;
  /** Empty on a last line that has none. */
  readonly lineEnd: '\n' | '\r\n' | '';
}

/** The line that an item has for itself, a comment behind it included. */
function lineOf(manifest: Manifest, word: Word | undefined): Line {
  const { source } = manifest;
  const token = tokenOf(manifest, word);
  const start = source.lastIndexOf('\n', token.start - 1) + 1;
  const prefix = source.slice(start, token.start);
  const [rest = '', , lineEnd = ''] = /^[ \t]*(#[^\n]*?)?(\r?\n|$)/.exec(source.slice(token.end)) ?? [];
  if (!/^[ \t]*-[ \t]+$/.test(prefix) || (rest === '' && token.end < source.length))
    throw oddPlace(manifest, token.word);
  return { prefix, start, end: token.end + rest.length, lineEnd: lineEnd as Line['lineEnd'] };
}

function oddPlace(manifest: Manifest, { text }: Word): Error {
  return unsupported(
    manifest,
    `writes ${JSON.stringify(text)} in a way that cannot be edited without touching anything else`,
    'Give it a line of its own, as `- --flag=value`',
  );
}
