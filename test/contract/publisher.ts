// What every publisher keeps to.
import { describe, expect, test } from 'vitest';
import type { Jwk } from '../../src/jwks/jwk.ts';
import { mergeKeys, removeKey } from '../../src/jwks/edit-jwks.ts';
import { kidsOf } from '../../src/jwks/jwks.ts';
import type { IssuerDocument, JwksPublisher } from '../../src/publishers/port.ts';
import { readPublic } from '../../src/publishers/read-back.ts';
import type { DocumentFetch } from '../../src/publishers/trusting-fetch.ts';
import { updateDocument } from '../../src/publishers/update-document.ts';

export interface PublisherUnderTest {
  /** Opens the same place once more, as another writer does. */
  readonly open: () => JwksPublisher;
  readonly publicUrl: (document: IssuerDocument) => string;
  /** Reaches the public address. */
  readonly fetch: DocumentFetch;
  /** The same place, closed to the public. */
  readonly makePrivate: () => Promise<void>;
  /** Runs something while nothing answers there. */
  readonly duringOutage: (run: () => Promise<void>) => Promise<void>;
}

const rsa = (kid: string): Jwk => ({ use: 'sig', kty: 'RSA', kid, alg: 'RS256', n: `n-of-${kid}`, e: 'AQAB' });

/** @param make a new, empty, public place each time */
export function publisherContract(name: string, make: () => Promise<PublisherUnderTest>): void {
  describe(`publisher contract: ${name}`, () => {
    test('an absent document is undefined, and is created only where it is absent', async () => {
      const { open } = await make();
      expect(await open().read('jwks')).toBeUndefined();
      await open().write('jwks', '{"keys":[]}', 'absent');
      expect(await open().read('jwks')).toEqual({ body: '{"keys":[]}', etag: expect.stringMatching(/./) as unknown });
      await expect(open().write('jwks', 'x', 'absent')).rejects.toMatchObject({
        code: 'JWKS_CHANGED',
        retryable: true,
      });
      expect((await open().read('jwks'))?.body).toBe('{"keys":[]}');
    });

    test('a present document is replaced only in the version that was read', async () => {
      const { open } = await make();
      await open().write('jwks', 'one', 'absent');
      const first = (await open().read('jwks')) ?? { etag: '' };
      await open().write('jwks', 'two', first);
      await expect(open().write('jwks', 'three', first)).rejects.toMatchObject({
        code: 'JWKS_CHANGED',
        retryable: true,
      });
      expect((await open().read('jwks'))?.body).toBe('two');
    });

    test('a precondition on a document that is not there has changed too', async () => {
      const { open } = await make();
      await open().write('discovery', 'x', 'absent');
      const { etag } = (await open().read('discovery')) ?? { etag: '' };
      await expect(open().write('jwks', 'x', { etag })).rejects.toMatchObject({
        code: 'JWKS_CHANGED',
        retryable: true,
      });
      expect(await open().read('jwks')).toBeUndefined();
    });

    test('the two documents are apart', async () => {
      const { open, publicUrl } = await make();
      await open().write('jwks', 'keys', 'absent');
      await open().write('discovery', 'discovery', 'absent');
      expect((await open().read('jwks'))?.body).toBe('keys');
      expect((await open().read('discovery'))?.body).toBe('discovery');
      expect(publicUrl('jwks')).not.toBe(publicUrl('discovery'));
    });

    test('the public gets the same bytes, with content type and cache control', async () => {
      const { open, publicUrl, fetch } = await make();
      const body = '{"keys":[],"ü":"\u2028 €"}\r\n';
      await open().write('jwks', body, 'absent');
      expect((await open().read('jwks'))?.body).toBe(body);
      expect(await readPublic(publicUrl('jwks'), { fetch })).toEqual({
        status: 200,
        body,
        contentType: 'application/json',
        cacheControl: 'public, max-age=300',
      });
    });

    test('a document that is missing or private is JWKS_NOT_PUBLIC', async () => {
      const { open, publicUrl, fetch, makePrivate } = await make();
      const notPublic = { code: 'JWKS_NOT_PUBLIC', subject: publicUrl('jwks'), retryable: false };
      await expect(readPublic(publicUrl('jwks'), { fetch })).rejects.toMatchObject(notPublic);
      await open().write('jwks', 'x', 'absent');
      await readPublic(publicUrl('jwks'), { fetch });
      await makePrivate();
      await expect(readPublic(publicUrl('jwks'), { fetch })).rejects.toMatchObject(notPublic);
      expect((await open().read('jwks'))?.body).toBe('x'); // its owner still sees it
    });

    test('of 20 writers that race with keys of their own none loses its key', async () => {
      const { open } = await make();
      const kids = Array.from({ length: 20 }, (_, index) => `kid-${index}`);
      const add = (kid: string) => updateDocument(open(), 'jwks', (body) => mergeKeys(body, [rsa(kid)]));
      expect((await Promise.all(kids.map(add))).every(({ changed }) => changed)).toBe(true);
      expect(kidsOf((await open().read('jwks'))?.body ?? '').toSorted()).toEqual(kids.toSorted());

      const gone = kids.slice(0, 10);
      const remove = (kid: string) => updateDocument(open(), 'jwks', (body = '') => removeKey(body, kid));
      await Promise.all([...gone.map(remove), add('kid-late')]);
      expect(kidsOf((await open().read('jwks'))?.body ?? '').toSorted()).toEqual(
        [...kids.slice(10), 'kid-late'].toSorted(),
      );
    });

    test('an update that changes nothing writes nothing', async () => {
      const { open } = await make();
      const first = await updateDocument(open(), 'jwks', (body) => mergeKeys(body, [rsa('a')]));
      const before = await open().read('jwks');
      const second = await updateDocument(open(), 'jwks', (body) => mergeKeys(body, [rsa('a')]));
      expect(first).toMatchObject({ changed: true, former: undefined, body: before?.body });
      expect(second).toEqual({ changed: false, former: before?.body, body: before?.body });
      expect((await open().read('jwks'))?.etag).toBe(before?.etag);
    });

    test('an outage is PUBLISHER_UNREACHABLE, worth another try, and passes', async () => {
      const { open, publicUrl, fetch, duringOutage } = await make();
      await open().write('jwks', 'x', 'absent');
      const away = { code: 'PUBLISHER_UNREACHABLE', retryable: true };
      await duringOutage(async () => {
        await expect(open().read('jwks')).rejects.toMatchObject(away);
        await expect(open().write('jwks', 'y', 'absent')).rejects.toMatchObject(away);
        await expect(readPublic(publicUrl('jwks'), { fetch })).rejects.toMatchObject(away);
      });
      expect((await open().read('jwks'))?.body).toBe('x');
    });

    test('says where it publishes, and no secret', async () => {
      const { open } = await make();
      expect(open().description).not.toBe('');
      expect(open().description).not.toMatch(/AccountKey|sig=|Signature/);
    });
  });
}
