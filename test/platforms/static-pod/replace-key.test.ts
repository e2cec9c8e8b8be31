// One key takes another's place in a PEM text, and nothing else changes.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addPublicKey, holdsKey, replaceKey } from '../../../src/platforms/static-pod/replace-key.ts';
import { ecKeyPair, rsaKeyPair } from './key-pairs.ts';

const former = ecKeyPair();
const next = rsaKeyPair();
const foreign = [ecKeyPair(), rsaKeyPair(), ecKeyPair()];
const SUBJECT = 'node-1:/etc/kubernetes/pki/sa.pub';
const replace = (pem: string): string => replaceKey(pem, former.kid, next, SUBJECT);

test.for([
  ['the only public key', former.publicPem, next.publicPem],
  ['the only private key, by a private one', former.privatePem, next.privatePem],
  [
    'a private key with its curve before it',
    `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${former.privatePem}`,
    next.privatePem,
  ],
  ['a key without a final newline', former.publicPem.trimEnd(), next.publicPem.trimEnd()],
  [
    'a key between others',
    `# a\n${foreign[0]!.publicPem}\r\n${former.publicPem}# b\n${foreign[1]!.publicPem}`,
    `# a\n${foreign[0]!.publicPem}\r\n${next.publicPem}# b\n${foreign[1]!.publicPem}`,
  ],
  ['nothing where the former is not', foreign[0]!.publicPem, foreign[0]!.publicPem],
  ['just the former out where the new one is', `${next.publicPem}${former.publicPem}`, next.publicPem],
  [
    'a private key although the public new one is there',
    `${former.privatePem}${next.publicPem}`,
    `${next.privatePem}${next.publicPem}`,
  ],
] as const)('takes %s', ([, before, after]) => {
  expect(replace(before)).toBe(after);
  expect(replace(after)).toBe(after);
});

describe('laws', () => {
  const between = fc.constantFrom('', '\n', '\r\n', '# a comment\n', '  ');
  const texts = fc
    .array(fc.tuple(fc.constantFrom(former, ...foreign), between), { minLength: 1, maxLength: 5 })
    .map((parts) => parts.map(([key, gap]) => key.publicPem + gap).join(''));

  test('all bytes but those of the former key stay', () => {
    fc.assert(
      fc.property(texts, (pem) => {
        expect(replace(pem)).toBe(pem.replaceAll(former.publicPem.trimEnd(), next.publicPem.trimEnd()));
        expect(replace(replace(pem))).toBe(replace(pem));
        expect(holdsKey(replace(pem), former.kid, SUBJECT)).toBe(false);
      }),
    );
  });

  test('a text that was given both keys meanwhile ends as one that was not', () => {
    fc.assert(
      fc.property(texts, (pem) => {
        const both = addPublicKey(replace(pem), former, SUBJECT);
        expect(holdsKey(both, former.kid, SUBJECT)).toBe(true);
        fc.pre(pem.endsWith('\n') && holdsKey(pem, former.kid, SUBJECT));
        expect(replace(both)).toBe(replace(pem));
      }),
    );
  });
});

test.for([
  ['nothing', ''],
  ['no PEM', 'hello'],
  ['a key that is cut off', former.publicPem.slice(0, 60)],
] as const)('%s is refused: KEY_MALFORMED', ([, pem]) => {
  expect(() => replace(pem)).toThrow(expect.objectContaining({ code: 'KEY_MALFORMED', subject: SUBJECT }));
});
