// A relying party that has nothing but the public JWKS: what it accepts, and when it notices changes.
import { createPrivateKey } from 'node:crypto';
import { SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { mergeKeys, removeKey } from '../../src/jwks/edit-jwks.ts';
import { generateKeyPair } from '../../src/keys/generate.ts';
import { toJwk } from '../../src/keys/jwk.ts';
import type { SigningKey } from '../../src/keys/signing-key.ts';
import { updateDocument } from '../../src/publishers/update-document.ts';
import { RelyingParty } from '../../src/relying-parties/relying-party.ts';
import { MemoryPublisher } from '../fakes/memory-publisher.ts';

const ISSUER = 'https://memory.test';
const AUDIENCE = 'api://AzureADTokenExchange';
const HOUR_MS = 3_600_000;
const START = new Date('2030-01-01T00:00:00Z');

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: START }));
afterEach(() => void vi.useRealTimers());
const passMs = (ms: number): void => void vi.setSystemTime(Date.now() + ms);

interface TokenOptions {
  readonly issuer?: string;
  readonly audience?: string | string[];
  readonly ttlMs?: number;
  readonly notBeforeMs?: number;
  readonly kid?: string;
}

function sign(key: SigningKey, options: TokenOptions = {}): Promise<string> {
  const { issuer = ISSUER, audience = AUDIENCE, ttlMs = 24 * HOUR_MS, notBeforeMs = 0, kid = key.kid } = options;
  return new SignJWT({ sub: 'system:serviceaccount:default:probe' })
    .setProtectedHeader({ alg: key.alg, kid })
    .setIssuer(issuer)
    .setAudience(audience)
    .setNotBefore(new Date(Date.now() + notBeforeMs))
    .setExpirationTime(new Date(Date.now() + ttlMs))
    .sign(createPrivateKey(key.privatePem));
}

function setUp(cacheMs = HOUR_MS) {
  const publisher = new MemoryPublisher();
  let reads = 0;
  const relyingParty = new RelyingParty({
    jwksUri: publisher.publicUrl('jwks'),
    issuer: ISSUER,
    audience: AUDIENCE,
    cacheMs,
    fetch: (url, init) => {
      reads += 1;
      return publisher.publicFetch(url, init);
    },
  });
  const publish = (...keys: SigningKey[]) =>
    updateDocument(publisher, 'jwks', (body) => mergeKeys(body, keys.map(toJwk)));
  const prune = (key: SigningKey) => updateDocument(publisher, 'jwks', (body = '') => removeKey(body, key.kid));
  return { publisher, relyingParty, publish, prune, reads: () => reads };
}

describe('accepts', () => {
  test.each(['rsa-2048', 'ec-p256', 'ec-p384', 'ec-p521'] as const)('a token that is signed with %s', async (type) => {
    const { relyingParty, publish } = setUp();
    const key = await generateKeyPair(type);
    await publish(await generateKeyPair('ec-p256'), key);
    expect(await relyingParty.verify(await sign(key))).toEqual({ accepted: true, kid: key.kid });
    expect(await relyingParty.verify(await sign(key, { audience: ['other', AUDIENCE] }))).toMatchObject({
      accepted: true,
    });
  });

  test('a token whose clock is a minute ahead or behind', async () => {
    const { relyingParty, publish } = setUp();
    const key = await generateKeyPair('ec-p256');
    await publish(key);
    expect(await relyingParty.verify(await sign(key, { notBeforeMs: 59_000 }))).toMatchObject({ accepted: true });
    expect(await relyingParty.verify(await sign(key, { ttlMs: -59_000 }))).toMatchObject({ accepted: true });
  });
});

describe('rejects, and says why', () => {
  test.each<[string, TokenOptions, RegExp]>([
    ['another issuer', { issuer: `${ISSUER}/` }, /"iss"/],
    ['another audience', { audience: 'sts.amazonaws.com' }, /"aud"/],
    ['a token that has expired', { ttlMs: -61_000 }, /ERR_JWT_EXPIRED/],
    ['a token that is not valid yet', { notBeforeMs: 62_000 }, /"nbf"/],
    ['a kid that is not published', { kid: 'unknown' }, /ERR_JWKS_NO_MATCHING_KEY/],
  ])('%s', async (_, options, reason) => {
    const { relyingParty, publish } = setUp();
    const key = await generateKeyPair('ec-p256');
    await publish(key);
    const verdict = await relyingParty.verify(await sign(key, options));
    expect(verdict).toEqual({
      accepted: false,
      reason: expect.stringMatching(reason) as unknown,
      kid: options.kid ?? key.kid,
    });
  });

  test('a signature of another key under a published kid', async () => {
    const { relyingParty, publish } = setUp();
    const key = await generateKeyPair('ec-p256');
    const forger = await generateKeyPair('ec-p256');
    await publish(key);
    const verdict = await relyingParty.verify(await sign(forger, { kid: key.kid }));
    expect(verdict).toMatchObject({ accepted: false, reason: expect.stringContaining('SIGNATURE') as unknown });
  });

  test.each(['', 'garbage', 'a.b.c', 'eyJhbGciOiJub25lIn0.e30.'])('%j', async (token) => {
    const { relyingParty, publish } = setUp();
    await publish(await generateKeyPair('ec-p256'));
    expect(await relyingParty.verify(token)).toMatchObject({ accepted: false, kid: undefined });
  });

  test('says nothing of the token', async () => {
    const { relyingParty, publish } = setUp();
    const key = await generateKeyPair('ec-p256');
    await publish(key);
    const token = await sign(key, { issuer: 'https://other' });
    const verdict = JSON.stringify(await relyingParty.verify(token));
    for (const part of token.split('.')) expect(verdict).not.toContain(part);
  });

  test('a published key that is broken: every relying party would reject its tokens', async () => {
    const { publisher, relyingParty } = setUp();
    const key = await generateKeyPair('ec-p256');
    const broken = JSON.stringify({ keys: [{ ...toJwk(key), x: 'AA' }] });
    await publisher.write('jwks', broken, 'absent');
    expect(await relyingParty.verify(await sign(key))).toMatchObject({ accepted: false, kid: key.kid });
  });
});

describe('as slow as its cache allows', () => {
  test('a new key is noticed when the cache is old, and not before', async () => {
    const { relyingParty, publish, reads } = setUp();
    const [former, next] = [await generateKeyPair('ec-p256'), await generateKeyPair('ec-p256')];
    await publish(former);
    expect(await relyingParty.verify(await sign(former))).toMatchObject({ accepted: true });
    await publish(next);
    for (const waitMs of [0, 31_000, 600_000, HOUR_MS - 631_001]) {
      passMs(waitMs);
      expect(await relyingParty.verify(await sign(next))).toMatchObject({ accepted: false, kid: next.kid });
    }
    expect(reads()).toBe(1);
    passMs(1);
    expect(await relyingParty.verify(await sign(next))).toMatchObject({ accepted: true, kid: next.kid });
    expect(await relyingParty.verify(await sign(former))).toMatchObject({ accepted: true, kid: former.kid });
    expect(reads()).toBe(2);
  });

  test('a pruned key goes on verifying until the cache is old', async () => {
    const { relyingParty, publish, prune } = setUp();
    const [former, next] = [await generateKeyPair('ec-p256'), await generateKeyPair('ec-p256')];
    await publish(former, next);
    await relyingParty.verify(await sign(next));
    await prune(former);
    passMs(HOUR_MS - 1);
    expect(await relyingParty.verify(await sign(former))).toMatchObject({ accepted: true });
    passMs(1);
    expect(await relyingParty.verify(await sign(former))).toMatchObject({ accepted: false });
  });

  test('without a cache it reads each time', async () => {
    const { relyingParty, publish, reads } = setUp(0);
    const key = await generateKeyPair('ec-p256');
    await publish(key);
    await relyingParty.verify(await sign(key));
    await relyingParty.verify(await sign(key));
    expect(reads()).toBe(2);
  });
});

describe('unreachable keys are no verdict', () => {
  test.each([
    ['an outage', (publisher: MemoryPublisher) => void (publisher.isUp = false), 'PUBLISHER_UNREACHABLE', true],
    [
      'a private container',
      (publisher: MemoryPublisher) => void (publisher.isPublic = false),
      'JWKS_NOT_PUBLIC',
      false,
    ],
  ])('%s', async (_, breakIt, code, retryable) => {
    const { publisher, relyingParty, publish } = setUp();
    const key = await generateKeyPair('ec-p256');
    await publish(key);
    const token = await sign(key);
    breakIt(publisher);
    await expect(relyingParty.verify(token)).rejects.toMatchObject({ name: 'KeyturnError', code, retryable });
    publisher.isUp = true;
    publisher.isPublic = true;
    expect(await relyingParty.verify(token)).toMatchObject({ accepted: true });
    breakIt(publisher);
    expect(await relyingParty.verify(token)).toMatchObject({ accepted: true }); // from its cache
    passMs(HOUR_MS);
    await expect(relyingParty.verify(token)).rejects.toMatchObject({ code });
  });

  test('a document that is no JWKS', async () => {
    const { publisher, relyingParty } = setUp();
    await publisher.write('jwks', '<html>', 'absent');
    await expect(relyingParty.verify(await sign(await generateKeyPair('ec-p256')))).rejects.toMatchObject({
      code: 'JWKS_MALFORMED',
    });
  });
});
