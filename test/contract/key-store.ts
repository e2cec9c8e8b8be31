// What every key store keeps to.
import { sign, verify } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { KeyStore } from '../../src/key-stores/port.ts';

export interface KeyStoreUnderTest {
  /** Opens the same store once more, as a worker does that takes over. */
  readonly open: () => KeyStore;
  /** `made`: the store makes keys and forgets them. `imported`: the key is the user's, there before and after. */
  readonly keys: 'made' | 'imported';
}

/** @param make a new store each time */
export function keyStoreContract(name: string, make: () => Promise<KeyStoreUnderTest>): void {
  describe(`key store contract: ${name}`, () => {
    test('staging gives the public half and nothing else', async () => {
      const { open } = await make();
      const staged = await open().stage('prod');
      expect(Object.keys(staged).toSorted()).toEqual(['alg', 'kid', 'publicPem']);
      expect(JSON.stringify(staged)).not.toContain('PRIVATE');
      expect(staged.publicPem).toMatch(/^-----BEGIN PUBLIC KEY-----\n[^]*\n-----END PUBLIC KEY-----\n$/);
    });

    test('staging again gives the same key, also to another worker', async () => {
      const { open } = await make();
      const store = open();
      const first = await store.stage('prod');
      expect(await store.stage('prod')).toEqual(first);
      expect(await open().stage('prod')).toEqual(first);
      expect(await open().staged('prod')).toEqual(first);
    });

    test('workers that stage at the same time agree on one key', async () => {
      const { open } = await make();
      const staged = await Promise.all(Array.from({ length: 8 }, () => open().stage('prod')));
      expect(new Set(staged.map(({ kid }) => kid)).size).toBe(1);
      expect((await open().load('prod', staged[0]?.kid ?? '')).kid).toBe(staged[0]?.kid);
    });

    test('loading gives the private half that belongs to it', async () => {
      const { open } = await make();
      const staged = await open().stage('prod');
      const { privatePem, ...publicHalf } = await open().load('prod', staged.kid);
      expect(publicHalf).toEqual(staged);
      const signature = sign('sha256', Buffer.from('token'), privatePem);
      expect(verify('sha256', Buffer.from('token'), staged.publicPem, signature)).toBe(true);
    });

    test('loading another kid is KEY_NOT_FOUND, and says nothing of the key', async () => {
      const { open } = await make();
      await open().stage('prod');
      await expect(open().load('prod', 'other')).rejects.toMatchObject({
        name: 'KeyturnError',
        code: 'KEY_NOT_FOUND',
        remedy: expect.stringMatching(/./) as unknown,
        message: expect.not.stringContaining('BEGIN') as unknown,
      });
    });

    test('discarding another kid leaves the key alone', async () => {
      const { open } = await make();
      const { kid } = await open().stage('prod');
      await open().discard('prod', 'other');
      expect((await open().staged('prod'))?.kid).toBe(kid);
    });

    test('discarding twice is discarding once', async () => {
      const { open, keys } = await make();
      const { kid } = await open().stage('prod');
      await open().discard('prod', kid);
      await open().discard('prod', kid);
      expect((await open().staged('prod'))?.kid).toBe(keys === 'made' ? undefined : kid);
    });

    test('a made key is gone once it is discarded, an imported one is left to the user', async () => {
      const { open, keys } = await make();
      const { kid } = await open().stage('prod');
      await open().discard('prod', kid);
      if (keys === 'made') {
        await expect(open().load('prod', kid)).rejects.toMatchObject({ code: 'KEY_NOT_FOUND' });
        expect((await open().stage('prod')).kid).not.toBe(kid);
      } else {
        expect((await open().load('prod', kid)).kid).toBe(kid);
      }
    });

    test('clusters have keys of their own where the store makes them', async () => {
      const { open, keys } = await make();
      if (keys === 'imported') return;
      expect(await open().staged('prod')).toBeUndefined();
      const prod = await open().stage('prod');
      expect(await open().staged('Prod')).toBeUndefined();
      const other = await open().stage('Prod');
      expect(other.kid).not.toBe(prod.kid);
      await open().discard('Prod', other.kid);
      expect(await open().staged('prod')).toEqual(prod);
    });
  });
}
