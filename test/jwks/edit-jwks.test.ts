// Laws and examples of editing a JWKS that others write too.
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mergeKeys, removeKey } from '../../src/jwks/edit-jwks.ts';
import type { Jwk } from '../../src/jwks/jwk.ts';
import { kidsOf, parseJwks } from '../../src/jwks/jwks.ts';

const vector = (name: string): string => readFileSync(new URL(`../vectors/jwks/${name}`, import.meta.url), 'utf8');
const rsa = (kid: string, n = `n-of-${kid}`): Jwk => ({ use: 'sig', kty: 'RSA', kid, alg: 'RS256', n, e: 'AQAB' });
const NEW = rsa('new');
const NEW_JSON = '{"use":"sig","kty":"RSA","kid":"new","alg":"RS256","n":"n-of-new","e":"AQAB"}';

const foreignKey = fc.oneof(
  fc.record({ kid: fc.stringMatching(/^f-[a-z]{0,5}$/), kty: fc.constant('oct') }),
  fc.record({ kid: fc.oneof(fc.integer(), fc.constant(null)), 'x-y': fc.jsonValue() }),
  fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'toString')), fc.jsonValue()),
);
const document = fc
  .tuple(
    fc.array(foreignKey, { maxLength: 6 }),
    fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 4 }),
    fc.boolean(),
  )
  .map(([keys, others, first]) => (first ? Object.assign({ keys }, others, { keys }) : { ...others, keys }));
const style = fc.constantFrom<(value: unknown) => string>(
  (value) => JSON.stringify(value),
  (value) => JSON.stringify(value, null, 2),
  (value) => `${JSON.stringify(value, null, 2)}\n`,
  (value) => `${JSON.stringify(value, null, 4)}\n`,
  (value) => JSON.stringify(value, null, '\t'),
  (value) => JSON.stringify(value, null, 2).replaceAll('\n', '\r\n'),
  (value) => JSON.stringify(value, null, 1).replaceAll(/\n */g, '\n'), // as in seed 001: lines without indentation
  (value) => `\n ${JSON.stringify(value, null, 1).replaceAll(/\n */g, ' ')}  `,
);
const body = fc.tuple(document, style).map(([value, write]) => write(value));
const ours = fc
  .uniqueArray(fc.stringMatching(/^k-[a-z0-9]{1,6}$/), { maxLength: 4 })
  .map((kids) => kids.map((kid) => rsa(kid)));

describe('laws', () => {
  test('merging loses no key and no member, and keeps the order', () => {
    fc.assert(
      fc.property(body, ours, (before, jwks) => {
        const merged = mergeKeys(before, jwks);
        const { keys: formerKeys, ...formerMembers } = parse(before);
        const { keys, ...members } = parse(merged);
        expect(members).toEqual(formerMembers);
        expect(Object.keys(parse(merged))).toEqual(Object.keys(parse(before)));
        expect(keys).toEqual([...formerKeys, ...jwks]);
      }),
      { numRuns: 1000 },
    );
  });

  test('every byte that was there is there, in its order', () => {
    fc.assert(
      fc.property(body, ours, (before, jwks) => {
        const merged = mergeKeys(before, jwks);
        const head = commonPrefix(before, merged);
        expect(merged.endsWith(before.slice(head))).toBe(true);
      }),
    );
  });

  test('merging twice is merging once', () => {
    fc.assert(
      fc.property(body, ours, (before, jwks) => {
        const once = mergeKeys(before, jwks);
        expect(mergeKeys(once, jwks)).toBe(once);
      }),
    );
  });

  test('removing what was merged gives the former document back, byte for byte', () => {
    fc.assert(
      fc.property(body, ours, (before, jwks) => {
        const merged = mergeKeys(before, jwks);
        expect(jwks.reduce((text, { kid }) => removeKey(text, kid), merged)).toBe(before);
        expect(jwks.toReversed().reduce((text, { kid }) => removeKey(text, kid), merged)).toBe(before);
      }),
      { numRuns: 1000 },
    );
  });

  test('removing takes out the keys of that kid, and nothing else', () => {
    fc.assert(
      fc.property(body, fc.nat(), (before, pick) => {
        const kids = kidsOf(before);
        const kid = kids[pick % Math.max(kids.length, 1)] ?? 'none';
        const { keys, ...members } = parse(removeKey(before, kid));
        const { keys: formerKeys, ...formerMembers } = parse(before);
        expect(members).toEqual(formerMembers);
        expect(keys).toEqual(formerKeys.filter((key) => !(Object.hasOwn(key, 'kid') && key.kid === kid)));
      }),
      { numRuns: 1000 },
    );
  });

  test('a document that we laid out is what JSON.stringify writes', () => {
    fc.assert(
      fc.property(
        ours,
        ours,
        fc.constantFrom(undefined, 2, 4, '\t'),
        fc.constantFrom('', '\n'),
        (old, jwks, indent, end) => {
          const merged = mergeKeys(JSON.stringify({ keys: old }, null, indent) + end, jwks);
          expect(merged).toBe(JSON.stringify(JSON.parse(merged), null, indent) + end);
        },
      ),
    );
  });
});

function parse(text: string): { keys: Record<string, unknown>[] } {
  return JSON.parse(text) as { keys: Record<string, unknown>[] };
}

function commonPrefix(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at += 1;
  return at;
}

describe('mergeKeys', () => {
  test('writes a new document as azwi does', () => {
    const { keys } = JSON.parse(vector('azwi-rsa-a-rsa-b.json')) as { keys: Jwk[] };
    expect(mergeKeys(undefined, keys)).toBe(vector('azwi-rsa-a-rsa-b.json'));
    expect(mergeKeys(undefined, [...keys, ...keys])).toBe(vector('azwi-rsa-a-rsa-b.json'));
  });

  test("adds the second key of OpenShift's document to the first", () => {
    const two = vector('openshift-two-keys.json');
    const [first, second] = (JSON.parse(two) as { keys: Jwk[] }).keys;
    if (first === undefined || second === undefined) throw new Error('vector');
    const one = `${JSON.stringify({ keys: [first] }, null, 2)}\n`;
    expect(mergeKeys(one, [second])).toBe(two);
    expect(removeKey(two, second.kid)).toBe(one);
  });

  test('gives the very same string back where nothing is missing', () => {
    const before = `{"keys":[${NEW_JSON}]}`;
    expect(mergeKeys(before, [NEW])).toBe(before);
    expect(mergeKeys(before, [])).toBe(before);
  });

  test('a published key may lack "use" and "alg" and have more members', () => {
    const before = '{"keys":[{"kid":"new","kty":"RSA","n":"n-of-new","e":"AQAB","x5t":"a"}]}';
    expect(mergeKeys(before, [NEW])).toBe(before);
  });

  test.each([
    ['other numbers', '{"keys":[{"kid":"new","kty":"RSA","n":"forged","e":"AQAB"}]}'],
    ['no numbers', '{"keys":[{"kid":"new"}]}'],
    ['another use', `{"keys":[${NEW_JSON.replace('"sig"', '"enc"')}]}`],
    ['a double that differs', `{"keys":[${NEW_JSON},{"kid":"new","kty":"EC"}]}`],
  ])('refuses another key under the same kid: %s', (_, before) => {
    expect(() => mergeKeys(before, [NEW], 'acct/oidc')).toThrow(
      expect.objectContaining({ code: 'JWKS_MALFORMED', subject: 'acct/oidc' }),
    );
  });

  test.each([
    ['compact', '{"keys":[]}', `{"keys":[${NEW_JSON}]}`],
    ['compact with a key', '{"keys":[{"kid":"a"}]}', `{"keys":[{"kid":"a"},${NEW_JSON}]}`],
    ['an empty object as key', '{"keys":[{}]}', `{"keys":[{},${NEW_JSON}]}`],
    [
      'as Python writes it',
      '{"keys": [{"kid": "a", "n": 1}]}',
      `{"keys": [{"kid": "a", "n": 1}, ${NEW_JSON.replaceAll(/([:,])/g, '$1 ')}]}`,
    ],
    ['as Python writes it, empty', '{"keys": []}', `{"keys": [${NEW_JSON.replaceAll(/([:,])/g, '$1 ')}]}`],
    [
      'numbers as they are written',
      '{"keys":[{"a":1.0e2}],"b":12345678901234567890}',
      `{"keys":[{"a":1.0e2},{"use":"sig"`,
    ],
    ['doubles of unknown members', '{"a":1,"a":2,"keys":[]}', `{"a":1,"a":2,"keys":[{`],
    ['escapes', '{"keys":[{"kid":"\\u0061\\/"}]}', '{"keys":[{"kid":"\\u0061\\/"},{'],
    ['"keys" written with an escape', '{"\\u006beys":[]}', '{"\\u006beys":[{'],
    [
      'prototype names',
      '{"__proto__":{"keys":[]},"keys":[{"__proto__":{"kid":"new"}}]}',
      '{"__proto__":{"keys":[]},"keys":[{"__proto__":{"kid":"new"}},{',
    ],
  ])('keeps %s', (_, before, after) => {
    expect(mergeKeys(before, [NEW]).slice(0, after.length)).toBe(after);
  });
});

describe('removeKey', () => {
  test('takes every double of a kid', () => {
    const before = '{"keys":[{"kid":"a"}, {"kid":"b"} ,{"kid":"a","x":1},{"kid":"a"}]}';
    expect(removeKey(before, 'a')).toBe('{"keys":[{"kid":"b"}]}');
  });

  test('leaves an empty list where the last key goes', () => {
    expect(removeKey('{\n  "keys": [\n    {"kid": "a"}\n  ]\n}\n', 'a')).toBe('{\n  "keys": []\n}\n');
  });

  test('stays quick on a document full of doubles', () => {
    const many = `{"keys":[${Array.from({ length: 80_000 }, () => '{"kid":"a"}').join(',')}]}`;
    expect(parseJwks(removeKey(many, 'a')).keys).toEqual([]);
  });
});
