// Inputs for parsers: real documents, changed a little or a lot, again and again the same by their seed.
import fc from 'fast-check';

/** Places are parts of the whole, from 0 to 1: a mutation means something whatever those before it have left. */
type Mutation =
  | { readonly does: 'insert'; readonly at: number; readonly text: string }
  | { readonly does: 'overwrite'; readonly at: number; readonly text: string }
  | { readonly does: 'cut' | 'double' | 'reverse'; readonly at: number; readonly to: number }
  | { readonly does: 'repeat'; readonly at: number; readonly to: number; readonly times: number }
  | { readonly does: 'graft'; readonly at: number; readonly from: number; readonly to: number; readonly donor: string };

/** What breaks parsers of any kind: names of prototypes, ends of lines, control characters, quotes of shells, ways out of folders, numbers. */
const TOKENS = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '{"__proto__":{"polluted":true}}',
  '\0',
  '\n',
  '\r\n',
  '\r',
  '\u2028',
  '\uFEFF',
  '\uD800',
  '\u{1F511}',
  '\t',
  ' ',
  '\u001B[2J',
  '\v',
  '../../etc/shadow',
  '..',
  '/',
  './',
  '$(id)',
  '`id`',
  '; rm -rf /',
  '&& id',
  '| id',
  "'",
  '"',
  '\\',
  '-n',
  '--',
  '%00',
  '0',
  '-0',
  '-1',
  '1e999',
  '9007199254740993',
  'NaN',
  'null',
  'true',
  '~',
  '""',
  '[]',
  '{}',
  '[',
  ']',
  '{',
  '}',
  ',',
  ':',
  '&a ',
  '*a',
  '&a [*a,*a]',
  '<<: *a',
  '!!binary ',
  '!!js/function ',
  '---\n',
  '...\n',
  '? ',
  '- ',
  '# ',
  '|\n',
  '>-\n',
  '%YAML 9.9\n',
];

/** Longer documents are cut: what is huge has seeds of its own. */
const MAX_LENGTH = 50_000;

const part = fc.double({ min: 0, max: 1, noNaN: true });

function mutationOf(tokens: readonly string[], donors: readonly string[]): fc.Arbitrary<Mutation> {
  const text = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...TOKENS, ...tokens) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 8 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCodePoint(code)) },
  );
  const span = { at: part, to: part };
  return fc.oneof(
    fc.record({ does: fc.constant('insert' as const), at: part, text }),
    fc.record({ does: fc.constant('overwrite' as const), at: part, text }),
    fc.record({ does: fc.constantFrom('cut' as const, 'double' as const, 'reverse' as const), ...span }),
    fc.record({ does: fc.constant('repeat' as const), ...span, times: fc.constantFrom(2, 3, 17, 1000) }),
    fc.record({ does: fc.constant('graft' as const), ...span, from: part, donor: fc.constantFrom(...donors) }),
  );
}

/** One in eight is a seed as it is, so that what must be accepted is tried too. */
export function mutatedInput(seeds: readonly string[], tokens: readonly string[]): fc.Arbitrary<string> {
  const mutations = fc.oneof(
    { weight: 1, arbitrary: fc.constant([]) },
    { weight: 7, arbitrary: fc.array(mutationOf(tokens, seeds), { minLength: 1, maxLength: 6 }) },
  );
  return fc.tuple(fc.constantFrom(...seeds), mutations).map(([seed, changes]) => changes.reduce(mutate, seed));
}

function mutate(text: string, mutation: Mutation): string {
  const place = (share: number) => Math.floor(share * text.length);
  const at = place(mutation.at);
  if (mutation.does === 'insert' || mutation.does === 'overwrite') {
    const behind = mutation.does === 'insert' ? at : at + mutation.text.length;
    return cap(text.slice(0, at) + mutation.text + text.slice(behind));
  }
  if (mutation.does === 'graft') {
    const { donor, from, to } = mutation;
    const graft = donor.slice(Math.floor(from * donor.length), Math.floor(to * donor.length));
    return cap(text.slice(0, at) + graft + text.slice(at));
  }
  const { does, to } = mutation;
  // Most pieces are short: those are what parsers stumble over.
  const end = Math.min(text.length, at + Math.ceil(to ** 4 * (text.length - at)));
  const [before, piece, after] = [text.slice(0, at), text.slice(at, end), text.slice(end)];
  switch (does) {
    case 'cut':
      return before + after;
    case 'double':
      return cap(before + piece + piece + after);
    case 'reverse':
      return before + piece.split('').toReversed().join('') + after;
    case 'repeat':
      return cap(before + piece.repeat(piece.length > 500 ? 2 : mutation.times) + after);
  }
}

function cap(text: string): string {
  return text.slice(0, MAX_LENGTH);
}
