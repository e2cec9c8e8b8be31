import { describe, expect, test } from 'vitest';
import { keyLimitsOf } from '../../src/rotation/accepted-algorithms.ts';
import {
  findFullKeySets,
  findMirrorProblems,
  findShortCacheWait,
  servedAsOtherThanJson,
} from '../../src/rotation/publication-checks.ts';
import { unfinishedRecord } from './observed-cluster.ts';

const former = { kid: 'former', alg: 'RS256' } as const;
const issuer = 'https://issuer.example';
const url = 'https://mirror.example/keys.json';
const messages = (problems: readonly { readonly message: string }[]) => problems.map(({ message }) => message);

describe('a mirror', () => {
  test('that has the signing key and names the issuer is none to speak of', () => {
    expect(findMirrorProblems({ issuer, mirrors: [{ url, kids: ['a', 'former'], issuer }] }, former)).toEqual([]);
    expect(findMirrorProblems({ issuer }, former)).toEqual([]);
  });

  test('without the signing key is refused', () => {
    const [problem, ...others] = findMirrorProblems({ issuer, mirrors: [{ url, kids: ['a'], issuer: null }] }, former);
    expect(others).toEqual([]);
    expect(problem).toMatchObject({ code: 'MIRRORS_DISAGREE', subject: url });
    expect(problem?.message).toContain('lacks former, the key that signs now');
  });

  test('of another issuer is refused', () => {
    const mirrors = [{ url, kids: ['former'], issuer: 'https://other.example' }];
    expect(messages(findMirrorProblems({ issuer, mirrors }, former))).toEqual([
      expect.stringContaining('names the issuer https://other.example, the configuration says https://issuer.example'),
    ]);
  });

  test('that cannot be read has its problem already', () => {
    expect(findMirrorProblems({ issuer, mirrors: [{ url, kids: null, issuer: null }] }, former)).toEqual([]);
  });
});

describe('a JWKS with 100 keys', () => {
  const kids = (count: number) => Array.from({ length: count }, (_, index) => `kid-${index}`);
  const facts = { publicUrl: url, staged: null, keyLimits: keyLimitsOf(['aws', 'azure', 'azure']) };

  test('is full for Entra ID, which reads the first 100', () => {
    expect(messages(findFullKeySets({ ...facts, publicKids: kids(100) }))).toEqual([
      expect.stringContaining('has 100 keys already, and the relying party azure reads the first 100'),
    ]);
    expect(findFullKeySets({ ...facts, publicKids: kids(99) })).toEqual([]);
  });

  test('is no reason where nobody is named who counts, or the new key is among them', () => {
    expect(findFullKeySets({ ...facts, publicKids: kids(100), keyLimits: keyLimitsOf(['aws', 'google']) })).toEqual([]);
    expect(findFullKeySets({ ...facts, publicKids: kids(100), staged: { kid: 'kid-7', alg: 'RS256' } })).toEqual([]);
    expect(findFullKeySets({ ...facts, publicKids: null })).toEqual([]);
  });
});

describe('a cache wait that is shorter than API servers let their JWKS be cached', () => {
  const facts = (ms: number, allowShorter?: string) => ({
    publishing: 'by-trusting' as const,
    publicUrl: url,
    record: null,
    servings: [{ url, contentType: 'application/jwk-set+json', maxAgeMs: 3_600_000 }],
    relyingPartyCache: { ms, ...(allowShorter === undefined ? {} : { allowShorter }) },
  });

  test('is refused, with both times and what to do', () => {
    const [problem] = findShortCacheWait(facts(3_599_000));
    expect(problem).toMatchObject({ code: 'PREFLIGHT_REFUSED', subject: url });
    expect(problem?.message).toMatch(
      /may be cached for 1h .* relyingPartyCache is 59m 59s: .*allowShorterCache a reason/,
    );
    expect(findShortCacheWait(facts(1000, '  '))).toHaveLength(1);
  });

  test('is accepted for a reason, and where it is no shorter', () => {
    expect(findShortCacheWait(facts(1000, 'nobody caches here'))).toEqual([]);
    expect(findShortCacheWait(facts(3_600_000))).toEqual([]);
  });

  test('is no matter where documents are written, where the server does not say, or in the middle of a rotation', () => {
    const { publishing: _, ...written } = facts(1000);
    expect(findShortCacheWait(written)).toEqual([]);
    expect(findShortCacheWait({ ...facts(1000), servings: [{ url, contentType: null, maxAgeMs: null }] })).toEqual([]);
    expect(findShortCacheWait({ ...facts(1000), record: unfinishedRecord() })).toEqual([]);
  });
});

test.each([
  ['application/json', true],
  ['application/json; charset=utf-8', true],
  ['application/jwk-set+json', true],
  ['Application/JSON', true],
  ['text/plain', false],
  ['application/octet-stream', false],
  ['application/jsonp', false],
  [null, false],
])('a JWKS that is served as %s is JSON to those who look: %s', (contentType, isJson) => {
  expect(servedAsOtherThanJson([{ url, contentType, maxAgeMs: null }])).toHaveLength(isJson ? 0 : 1);
});
