// JWKS and discovery documents: a merge keeps every foreign key, a removal takes one key only, and what was added goes without a trace.
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { discoveryDocument, parseDiscovery } from '../../../src/jwks/discovery.ts';
import { mergeKeys, removeKey } from '../../../src/jwks/edit-jwks.ts';
import type { Jwk } from '../../../src/jwks/jwk.ts';
import { kidsOf, parseJwks } from '../../../src/jwks/jwks.ts';
import type { FuzzTarget } from '../run-target.ts';

const vector = (name: string) => readFileSync(new URL(`../../vectors/jwks/${name}`, import.meta.url), 'utf8');
const OURS: Jwk = { use: 'sig', kty: 'RSA', kid: 'ours', alg: 'RS256', n: 'b3Vycw', e: 'AQAB' };
const nested = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth);

interface Read {
  readonly keys: readonly Readonly<Record<string, unknown>>[];
}

export const jwks: FuzzTarget = {
  name: 'JWKS',
  seeds: [
    ...['azwi-bundle.json', 'azwi-ec-prime256v1.json', 'azwi-rsa-a-rsa-b.json', 'openshift-two-keys.json'].map(vector),
    '{"keys":[]}',
    '{ "keys" : [ ] , "issuer": "x" }',
    '{\r\n\t"x": {"keys": [1]},\r\n\t"keys": [\r\n\t\t{"kid": "a", "kty": "oct", "n": 1e400, "\\u006bid": "b"}\r\n\t]\r\n}\r\n',
    mergeKeys('{"keys":[{"kid":"foreign"}]}', [OURS]),
  ],
  extremes: [
    nested('[', ']', 100_000),
    nested('{"keys":[', ']}', 500),
    `{"keys":[${nested('[', ']', 50_000)}]}`,
    `{"keys":[${Array.from({ length: 20_000 }, (_, i) => `{"kid":"${i}"}`).join()}]}`,
    `{"keys":[{"kid":"${'x'.repeat(1_000_000)}"}]}`,
    `{"keys":[]}${' '.repeat(2_000_000)}`,
    `{"__proto__":{"keys":[{"kid":"a"}]}}`,
    `{"keys":[{"__proto__":{"kid":"ours"}}]}`,
  ],
  tokens: [
    '"keys"',
    '"kid"',
    '"kid":"ours"',
    '"ours"',
    '"use":"sig",',
    '"n":',
    '\\u006b',
    '"keys":[],',
    JSON.stringify(OURS),
  ],
  accepts(input) {
    const before = (JSON.parse(parseJwks(input).keys.length >= 0 ? input : '') as Read).keys;
    const merged = mergeKeys(input, [OURS], 'jwks');
    const read = JSON.parse(merged) as Read & Record<string, unknown>;
    if (!isDeepStrictEqual(read.keys.slice(0, before.length), before)) throw new Error('a merge changed a foreign key');
    if (!isDeepStrictEqual({ ...read, keys: [] }, { ...(JSON.parse(input) as object), keys: [] }))
      throw new Error('a merge changed something else');
    if (!kidsOf(merged).includes('ours')) throw new Error('the merged key is missing');
    if (mergeKeys(merged, [OURS]) !== merged) throw new Error('merged twice is not merged once');
    const removed = removeKey(merged, 'ours');
    if (kidsOf(removed).includes('ours')) throw new Error('the removed key is there');
    const foreign = before.filter((key) => !Object.hasOwn(key, 'kid') || key['kid'] !== 'ours');
    if (!isDeepStrictEqual((JSON.parse(removed) as Read).keys, foreign))
      throw new Error('a removal changed a foreign key');
    // White space in empty brackets goes with the first key.
    const compact = (text: string) => text.replaceAll(/\[\s+\]/g, '[]');
    if (foreign.length === before.length && compact(removed) !== compact(input)) {
      throw new Error('added and removed is not what it was');
    }
    return true;
  },
};

export const discovery: FuzzTarget = {
  name: 'discovery documents',
  seeds: [
    discoveryDocument('https://issuer.example', 'https://issuer.example/openid/v1/jwks', ['RS256', 'ES256']),
    '{"issuer":"https://a.example","jwks_uri":"https://a.example/jwks"}',
    '{"jwks_uri":"x","issuer":"y","id_token_signing_alg_values_supported":[]}',
  ],
  extremes: [
    nested('[', ']', 100_000),
    nested('{"issuer":', '}', 100_000),
    '{"__proto__":{"issuer":"a","jwks_uri":"b"}}',
  ],
  tokens: ['"issuer"', '"jwks_uri"', '"id_token_signing_alg_values_supported"', '"RS256"'],
  accepts(input) {
    const { issuer, jwksUri, algs } = parseDiscovery(input);
    const read = JSON.parse(input) as Record<string, unknown>;
    if (!Object.hasOwn(read, 'issuer') || read['issuer'] !== issuer || issuer === '') throw new Error('another issuer');
    if (!Object.hasOwn(read, 'jwks_uri') || read['jwks_uri'] !== jwksUri) throw new Error('another jwks_uri');
    if (!algs.every((alg) => typeof alg === 'string')) throw new Error('an algorithm that is no text');
    return true;
  },
};
