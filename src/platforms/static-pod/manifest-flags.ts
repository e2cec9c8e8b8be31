// The flags of a component's command line, in both of their forms.
import { parseManifest, unsupported } from './manifest.ts';
import type { Manifest, ParsedManifest, Word } from './manifest.ts';

/** One occurrence of a flag. */
export interface Flag {
  /** Without dashes in front, `_` as `-`, as the components themselves read it. */
  readonly name: string;
  /** null for a flag that stands alone, which is right for a switch only. */
  readonly value: string | null;
  /** One item `--name=value` or `--name`; two items `--name`, `value`. */
  readonly words: readonly [Word] | readonly [Word, Word];
}

/**
 * All flags of the component by name (without dashes in front), their values in the order of the command line.
 * @throws MANIFEST_UNREADABLE MANIFEST_UNSUPPORTED
 */
export function readFlags(manifest: Manifest): ReadonlyMap<string, readonly (string | null)[]> {
  const values = new Map<string, (string | null)[]>();
  for (const { name, value } of findFlags(parseManifest(manifest))) {
    values.set(name, [...(values.get(name) ?? []), value]);
  }
  return values;
}

/**
 * Values of a flag that takes a path and may be repeated; empty where it is absent.
 * @throws MANIFEST_UNREADABLE
 * @throws MANIFEST_UNSUPPORTED where a value is missing, or only known inside of the container (`$(VAR)`)
 */
export function readPaths(manifest: Manifest, flag: string): readonly string[] {
  return findPathFlags(parseManifest(manifest), flag).map(({ value }) => value);
}

/**
 * Value of a flag that takes one path; null where it is absent.
 * @throws MANIFEST_UNREADABLE
 * @throws MANIFEST_UNSUPPORTED as above, and where the flag is repeated
 */
export function readSinglePath(manifest: Manifest, flag: string): string | null {
  const [value = null, second] = readPaths(manifest, flag);
  if (second !== undefined) throw repeated(manifest, flag);
  return value;
}

export interface PathFlag extends Flag {
  readonly value: string;
}

export function findPathFlags(parsed: ParsedManifest, flag: string): readonly PathFlag[] {
  const { manifest } = parsed;
  return findFlags(parsed)
    .filter(({ name }) => name === flag)
    .map(({ name, value, words }) => {
      if (value === null) {
        throw unsupported(manifest, `has --${flag} without a value`, `Give it as --${flag}=/path/of/the/file`);
      }
      if (value.includes('$(')) {
        throw unsupported(manifest, `has a variable in --${flag}=${value}`, 'Write the path out');
      }
      return { name, value, words };
    });
}

export function repeated(manifest: Manifest, flag: string): Error {
  return unsupported(manifest, `has --${flag} more than once, of which only the last counts`, 'Keep that one');
}

/** pflag's reading: `--name=value`; `--name value`, where the next item is not a flag itself; `--name` alone. */
function findFlags({ manifest, flagWords }: ParsedManifest): readonly Flag[] {
  const flags: Flag[] = [];
  for (let i = 0; i < flagWords.length; i += 1) {
    const word = flagWords[i];
    if (word === undefined) break;
    refuseHiddenFlags(manifest, word.text);
    const [, dashed, equals, text = ''] = /^--([^=\s]+)(=?)(.*)$/s.exec(word.text) ?? [];
    if (dashed === undefined) continue;
    const name = dashed.replaceAll('_', '-');
    const following = flagWords[i + 1];
    if (equals === '=') flags.push({ name, value: text, words: [word] });
    else if (following === undefined || following.text.startsWith('-'))
      flags.push({ name, value: null, words: [word] });
    else {
      flags.push({ name, value: following.text, words: [word, following] });
      i += 1;
    }
  }
  return flags;
}

function refuseHiddenFlags(manifest: Manifest, text: string): void {
  if (text === '--') throw unsupported(manifest, 'ends its flags with --', 'Remove that item');
  if (/^(?:--)?\$\(/.test(text)) {
    throw unsupported(manifest, `takes a whole flag from a variable: ${text}`, 'Write the flag out');
  }
}
