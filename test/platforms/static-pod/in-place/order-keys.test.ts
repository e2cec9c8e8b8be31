// Order of keys in a PEM text, and that nothing else of it is touched.
import { describe, expect, test } from 'vitest';
import {
  addKeyBehind,
  moveKeyBehind,
  moveKeyFirst,
  removeKey,
} from '../../../../src/platforms/static-pod/in-place/order-keys.ts';
import { findKeys } from '../../../../src/platforms/static-pod/replace-key.ts';
import { ecKeyPair, rsaKeyPair } from '../key-pairs.ts';

const [former, foreign, next] = [ecKeyPair(), rsaKeyPair(), ecKeyPair()];
const kids = (pem: string) => findKeys(pem, 'sa.pub').map(({ kid }) => kid);

const TEXTS = {
  'the former alone': former.publicPem,
  'without a last line end': former.publicPem.trimEnd(),
  'a foreign key behind it': former.publicPem + foreign.publicPem,
  'a foreign key before it': foreign.publicPem + former.publicPem,
  'comments, blank lines and no last line end': `# a\n\n${former.publicPem}# b\n\n${foreign.publicPem}\n# c`,
  'a foreign key behind it, without a last line end': former.publicPem + foreign.publicPem.trimEnd(),
  'line ends of Windows': (former.publicPem + foreign.publicPem).replaceAll('\n', '\r\n'),
};

describe.for(Object.entries(TEXTS))('%s', ([, before]) => {
  test('a key added, moved to the front, moved back and removed leaves every byte as it was', () => {
    const trusted = addKeyBehind(before, former.kid, next, 'sa.pub');
    expect(kids(trusted)).toContain(next.kid);
    const signing = moveKeyFirst(trusted, next.kid, 'sa.pub');
    expect(kids(signing)[0]).toBe(next.kid);
    expect(kids(signing)).toHaveLength(kids(before).length + 1);
    const back = moveKeyBehind(signing, next.kid, former.kid, 'sa.pub');
    expect(back).toBe(trusted);
    expect(removeKey(back, next.kid, 'sa.pub')).toBe(before);
  });

  test('each of them done twice is as done once', () => {
    const trusted = addKeyBehind(before, former.kid, next, 'sa.pub');
    expect(addKeyBehind(trusted, former.kid, next, 'sa.pub')).toBe(trusted);
    const signing = moveKeyFirst(trusted, next.kid, 'sa.pub');
    expect(moveKeyFirst(signing, next.kid, 'sa.pub')).toBe(signing);
    expect(moveKeyBehind(trusted, next.kid, former.kid, 'sa.pub')).toBe(trusted);
    expect(removeKey(before, next.kid, 'sa.pub')).toBe(before);
  });

  test('the former removed at the end leaves the new key in front, and the others as they were', () => {
    const signing = moveKeyFirst(addKeyBehind(before, former.kid, next, 'sa.pub'), next.kid, 'sa.pub');
    const after = removeKey(signing, former.kid, 'sa.pub');
    expect(kids(after)).toEqual([next.kid, ...kids(before).filter((kid) => kid !== former.kid)]);
    for (const comment of ['# a', '# b', '# c']) expect(after.includes(comment)).toBe(before.includes(comment));
  });
});

test('the last key is never removed', () => {
  expect(removeKey(former.publicPem, former.kid, 'sa.pub')).toBe(former.publicPem);
});

test('a file without the other key gets the new one at its end', () => {
  expect(addKeyBehind(foreign.publicPem, former.kid, next, 'sa.pub')).toBe(foreign.publicPem + next.publicPem);
});
