import { describe, expect, test } from 'vitest';
import { keyLimitsOf } from '../../src/rotation/accepted-algorithms.ts';
import { findFullKeySets, findMirrorProblems } from '../../src/rotation/publication-checks.ts';

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
