// Changes one flag of a manifest in its source text, so that every other byte stays: comments, quotes, indentation, line ends.
import { isDeepStrictEqual } from 'node:util';
import { KeyturnError } from '../../errors.ts';
import { applyChanges, insertAfter, removeItem, replaceInItem } from './list-text.ts';
import type { TextChange } from './list-text.ts';
import { findPathFlags, repeated } from './manifest-flags.ts';
import type { PathFlag } from './manifest-flags.ts';
import { parseManifest, unsupported } from './manifest.ts';
import type { ListName, Manifest, ParsedManifest, Word } from './manifest.ts';

/** What needs no quotes or escapes in any YAML style, and cannot be read as anything but a string. */
const PLAIN_PATH = /^\/[A-Za-z0-9._/@+-]+$/;

/** A change of one list of words, in terms of the list. */
interface ListChange {
  readonly list: ListName;
  readonly index: number;
  readonly remove: 0 | 1;
  readonly insert: readonly string[];
}

/**
 * The source with one more `--flag` that has the given path, after the last one of that name and written in its style; the source as it is
 * where one has that value already.
 * @throws MANIFEST_UNREADABLE MANIFEST_UNSUPPORTED
 */
export function addFlag(manifest: Manifest, flag: string, value: string): string {
  const parsed = parseManifest(manifest);
  const flags = findPathFlags(parsed, flag);
  if (flags.some((present) => present.value === value)) return manifest.source;
  const last = flags.at(-1);
  if (last === undefined) throw unsupported(manifest, `has no --${flag} to put another one beside`, 'Add it by hand');
  refuseOddPath(manifest, value);
  const [first, second] = last.words;
  refuseOddPath(manifest, last.value);
  const texts = second === undefined ? [replaceEnd(first.text, last.value, value)] : [first.text, value];
  const end = second ?? first;
  return apply(
    parsed,
    [insertAfter(manifest, last.words, texts)],
    [{ list: end.list, index: end.index + 1, remove: 0, insert: texts }],
  );
}

/**
 * The source without any `--flag` of exactly this value, in either form; the source as it is where there is none.
 * @throws MANIFEST_UNREADABLE MANIFEST_UNSUPPORTED
 */
export function removeFlag(manifest: Manifest, flag: string, value: string): string {
  const parsed = parseManifest(manifest);
  const words: readonly Word[] = findPathFlags(parsed, flag)
    .filter((present) => present.value === value)
    .flatMap((present) => present.words);
  return apply(
    parsed,
    words.map((word) => removeItem(manifest, word, listOf(parsed, word.list))),
    words.map(({ list, index }) => ({ list, index, remove: 1, insert: [] })),
  );
}

/**
 * The source with the value of a single `--flag` replaced; the source as it is where it has the new value already.
 * @throws MANIFEST_UNREADABLE MANIFEST_UNSUPPORTED
 * @throws FILE_CHANGED where the flag has neither value: somebody else has changed it
 */
export function replaceFlagValue(manifest: Manifest, flag: string, from: string, to: string): string {
  const parsed = parseManifest(manifest);
  const [present, second] = findPathFlags(parsed, flag);
  if (second !== undefined) throw repeated(manifest, flag);
  if (present?.value === to) return manifest.source;
  if (present?.value !== from) throw changedByAnother(manifest, flag, present, from, to);
  refuseOddPath(manifest, from);
  refuseOddPath(manifest, to);
  const word = present.words[1] ?? present.words[0];
  return apply(
    parsed,
    [replaceInItem(manifest, word, from, to)],
    [{ list: word.list, index: word.index, remove: 1, insert: [replaceEnd(word.text, from, to)] }],
  );
}

/** Makes the change in the text, and reads the result: an edit that does anything else than what is meant never leaves this function. */
function apply(parsed: ParsedManifest, texts: readonly TextChange[], lists: readonly ListChange[]): string {
  const { manifest } = parsed;
  const source = applyChanges(manifest.source, texts);
  if (source === manifest.source) return source;
  const expected = structuredClone(parsed.pod);
  const container = expected.spec.containers[parsed.containerIndex];
  for (const { list, index, remove, insert } of lists.toSorted((a, b) => b.index - a.index)) {
    container?.[list]?.splice(index, remove, ...insert);
  }
  if (!isDeepStrictEqual(parseManifest({ ...manifest, source }).pod, expected)) {
    throw unsupported(manifest, 'is written in a way that Keyturn cannot edit', 'Write its command as a plain list');
  }
  return source;
}

function listOf(parsed: ParsedManifest, list: ListName): readonly Word[] {
  return parsed.words.filter((word) => word.list === list);
}

function replaceEnd(text: string, end: string, by: string): string {
  return text.slice(0, text.length - end.length) + by;
}

function refuseOddPath(manifest: Manifest, path: string): void {
  if (PLAIN_PATH.test(path)) return;
  throw unsupported(
    manifest,
    `has or would get the path ${JSON.stringify(path)}`,
    'Use an absolute path of letters, digits and . _ / @ + -',
  );
}

function changedByAnother(
  { subject }: Manifest,
  flag: string,
  present: PathFlag | undefined,
  from: string,
  to: string,
): KeyturnError {
  const now = present === undefined ? `has no --${flag}` : `has --${flag}=${present.value}`;
  return new KeyturnError('FILE_CHANGED', `${subject} ${now}, where ${from} or ${to} was expected`, {
    subject,
    remedy: `Find out who changed it, and set it to ${from} again`,
  });
}
