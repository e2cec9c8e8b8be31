// What the clouds accept.
import { expect, test } from 'vitest';
import { RELYING_PARTY_LIMITS, refusedBy } from '../../src/rotation/accepted-algorithms.ts';

test.each([
  ['RS256', []],
  ['ES256', ['azure', 'aws']],
  ['ES384', ['azure', 'aws', 'google']],
  ['ES512', ['azure', 'aws', 'google']],
] as const)('%s is refused by %j', (alg, names) => {
  expect(refusedBy(alg, ['azure', 'aws', 'google'])).toEqual(names);
});

test('only those that are named count, in their order, each once', () => {
  expect(refusedBy('ES256', [])).toEqual([]);
  expect(refusedBy('ES256', ['google'])).toEqual([]);
  expect(refusedBy('ES256', ['aws', 'azure', 'aws'])).toEqual(['aws', 'azure']);
});

test('Entra ID reads the first 100 keys', () => {
  expect(RELYING_PARTY_LIMITS.azure.maxKeys).toBe(100);
});
