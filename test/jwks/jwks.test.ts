// Reading JWKS and discovery documents that others wrote.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { discoveryDocument, parseDiscovery } from '../../src/jwks/discovery.ts';
import { kidsOf, parseJwks } from '../../src/jwks/jwks.ts';

const vector = (name: string): string => readFileSync(new URL(`../vectors/jwks/${name}`, import.meta.url), 'utf8');
const malformed: unknown = expect.objectContaining({ code: 'JWKS_MALFORMED', subject: 'the subject' });

describe('parseJwks', () => {
  test.each([
    [
      'openshift-two-keys.json',
      ['TGXdmPbUYtPjvlM9tf8x3cgRuq_0-pMru22kh5fsyKI', 'cuE9D_i7icDALhXFdpMATHno6bR1zk4LBSMaFZzPyhA'],
    ],
    ['azwi-ec-prime256v1.json', ['IIkRzv4pjhWGrF8DP9f5n28HhZH_N9UuFFyNp5Il2m0']],
  ])('%s', (file, kids) => {
    expect(kidsOf(vector(file))).toEqual(kids);
  });

  test('keeps what it does not know', () => {
    const { document, keys } = parseJwks('{"a":[1],"keys":[{"kty":"AKP","kid":7}]}');
    expect(document).toEqual({ a: [1], keys: [{ kty: 'AKP', kid: 7 }] });
    expect(keys).toEqual([{ kty: 'AKP', kid: 7 }]);
  });

  test('names each kid once, and no kid that is not a string', () => {
    expect(kidsOf('{"keys":[{"kid":"b"},{"kid":"a"},{"kid":"b"},{"kid":1},{}]}')).toEqual(['b', 'a']);
  });

  test('does not find names of the prototype', () => {
    expect(kidsOf('{"keys":[{"__proto__":{"kid":"x"}}]}')).toEqual([]);
    expect(({} as { kid?: string }).kid).toBeUndefined();
    expect(() => parseJwks('{"__proto__":{"keys":[]}}', 'the subject')).toThrow(malformed);
  });

  test('a prototype that somebody polluted makes no key and no document', () => {
    Object.assign(Object.prototype, { kid: 'polluted', keys: [] });
    try {
      expect(kidsOf('{"keys":[{}]}')).toEqual([]);
      expect(() => parseJwks('{}', 'the subject')).toThrow(malformed);
    } finally {
      Reflect.deleteProperty(Object.prototype, 'kid');
      Reflect.deleteProperty(Object.prototype, 'keys');
    }
  });

  test.each([
    ['nothing', ''],
    ['HTML', '<html></html>'],
    ['cut off', '{"keys":['],
    ['a byte order mark', '\uFEFF{"keys":[]}'],
    ['a list', '[]'],
    ['null', 'null'],
    ['no keys', '{}'],
    ['keys that are null', '{"keys":null}'],
    ['keys that are an object', '{"keys":{"0":{}}}'],
    ['a key that is a string', '{"keys":[{},"x"]}'],
    ['keys named twice', '{"keys":[{"kid":"a"}],"keys":[]}'],
    ['keys named twice, once escaped', '{"keys":[],"ke\\u0079s":[]}'],
    ['more than 1 MiB', `{"keys":[]}${' '.repeat(1_048_576)}`],
    ['a tower of brackets', '['.repeat(500_000)],
  ])('refuses %s', (_, body) => {
    expect(() => parseJwks(body, 'the subject')).toThrow(malformed);
  });

  test('a closed tower of brackets does not exhaust the stack', () => {
    expect(kidsOf(`{"a":${'['.repeat(200_000)}${']'.repeat(200_000)},"keys":[{"kid":"a"}]}`)).toEqual(['a']);
  });
});

describe('discovery', () => {
  test('has the members of kube-apiserver in its order, laid out as azwi users write it', () => {
    expect(discoveryDocument('https://a.example/oidc', 'https://a.example/oidc/openid/v1/jwks')).toBe(`{
  "issuer": "https://a.example/oidc",
  "jwks_uri": "https://a.example/oidc/openid/v1/jwks",
  "response_types_supported": [
    "id_token"
  ],
  "subject_types_supported": [
    "public"
  ],
  "id_token_signing_alg_values_supported": [
    "RS256"
  ]
}`);
  });

  test('names each algorithm once, sorted', () => {
    const body = discoveryDocument('https://a', 'https://a/k', ['RS256', 'ES256', 'RS256']);
    expect(parseDiscovery(body)).toEqual({ issuer: 'https://a', jwksUri: 'https://a/k', algs: ['ES256', 'RS256'] });
  });

  test.each([
    ['nothing', ''],
    ['a list', '[]'],
    ['no issuer', '{"jwks_uri":"https://a"}'],
    ['an issuer that is a number', '{"issuer":1,"jwks_uri":"https://a"}'],
    ['no jwks_uri', '{"issuer":"https://a"}'],
    ['an issuer of the prototype', '{"__proto__":{"issuer":"https://a"},"jwks_uri":"https://a"}'],
    ['algorithms that are a string', '{"issuer":"a","jwks_uri":"b","id_token_signing_alg_values_supported":"RS256"}'],
    ['more than 1 MiB', ' '.repeat(1_048_577)],
  ])('refuses %s', (_, body) => {
    expect(() => parseDiscovery(body, 'the subject')).toThrow(malformed);
  });
});
