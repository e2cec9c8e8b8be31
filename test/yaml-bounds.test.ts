import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { findYamlExcess } from '../src/yaml-bounds.ts';

describe('findYamlExcess', () => {
  it('takes documents that people write, also as JSON on one line', () => {
    const clusters = Array.from({ length: 40 }, (_, index) => ({
      name: `c${index}`,
      nodes: [{ name: 'n', port: 22 }],
    }));
    expect(findYamlExcess(JSON.stringify({ clusters }))).toBeUndefined();
    expect(findYamlExcess(`${JSON.stringify({ clusters })}\n`)).toBeUndefined();
    expect(findYamlExcess(stringify({ clusters }))).toBeUndefined();
  });

  it('takes any shallow JSON, however it is written', () => {
    const shallow = fc.array(fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.integer(), { maxKeys: 9 }), {
      maxLength: 60,
    });
    fc.assert(fc.property(shallow, (value) => findYamlExcess(JSON.stringify(value)) === undefined));
  });

  it.each([
    ['brackets', '['.repeat(65)],
    ['braces over lines', '{a:\n'.repeat(65)],
    ['indicators on a line', '- '.repeat(65)],
    ['keys that are marked', '? '.repeat(65)],
    ['tags within brackets', `[${'!a '.repeat(65)}]`],
  ])('refuses depth made of %s', (_, text) => {
    expect(findYamlExcess(text)).toBe('is nested deeper than 64 levels');
  });

  it('refuses what is too large, and too many words', () => {
    expect(findYamlExcess('a'.repeat(1_048_577))).toMatch(/larger than 1048576/);
    expect(findYamlExcess('a: b\n'.repeat(10_000))).toMatch(/more than 20000 words/);
  });
});
