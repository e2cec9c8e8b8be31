// What every publisher keeps to.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { confirmPublic, readPublicJwks, readPublicKids } from '../../src/activities/public-documents.ts';
import type { Jwk } from '../../src/jwks/jwk.ts';
import { mergeKeys, removeKey } from '../../src/jwks/edit-jwks.ts';
import { kidsOf } from '../../src/jwks/jwks.ts';
import type { IssuerDocument, JwksPublisher } from '../../src/publishers/port.ts';
import { readPublic } from '../../src/publishers/read-back.ts';
import type { DocumentFetch } from '../../src/publishers/trusting-fetch.ts';
import { updateDocument } from '../../src/publishers/update-document.ts';
import { startCachingFront } from '../fixtures/caching-front.ts';

/** A place where an issuer's documents are public, whoever brings them there. */
export interface PlaceUnderTest {
  /** Opens the same place once more, as another writer does. */
  readonly open: () => JwksPublisher;
  readonly publicUrl: (document: IssuerDocument) => string;
  /** Reaches the public address. */
  readonly fetch: DocumentFetch;
  /** Has the JWKS show so many keys in place of what it shows; the former ones stay where there are more than before. 0: there is no document. */
  readonly show: (keys: 0 | 1 | 2 | 101) => Promise<void>;
  /** Has the public address give this, as a wrong tool or server does it. */
  readonly store: (document: IssuerDocument, content: string | Uint8Array, contentType: string) => Promise<void>;
  /** The same place, closed to the public. */
  readonly makePrivate: () => Promise<void>;
  /** Runs something while nothing answers there. */
  readonly duringOutage: (run: () => Promise<void>) => Promise<void>;
}

/** One that writes shows what was written. */
export type PublisherUnderTest = Omit<PlaceUnderTest, 'show'>;

const vector = (name: string): string => readFileSync(new URL(`../vectors/jwks/${name}`, import.meta.url), 'utf8');
/** As `ccoctl` writes it: four spaces, and its own order of members. */
const ofCcoctl = JSON.stringify(
  { keys: [{ use: 'sig', kty: 'RSA', kid: 'foreign', alg: 'RS256', n: 'n', e: 'AQAB' }] },
  null,
  4,
);

const rsa = (kid: string): Jwk => ({ use: 'sig', kty: 'RSA', kid, alg: 'RS256', n: `n-of-${kid}`, e: 'AQAB' });

/** @param make a new, empty, public place each time */
export function publisherContract(name: string, make: () => Promise<PublisherUnderTest>): void {
  placeContract(name, async () => {
    const place = await make();
    const show = async (count: number): Promise<void> => {
      const keys = Array.from({ length: count }, (_, index) => rsa(`kid-${index}`));
      if (count > 0) await updateDocument(place.open(), 'jwks', (body) => mergeKeys(body, keys));
    };
    return { ...place, show };
  });
  writingContract(name, make);
}

/**
 * What holds whether the documents are written or made by who serves them.
 * @param make a public place each time, which shows what `show` was told last
 * @param away code of an outage, as its owner sees it
 */
export function placeContract(
  name: string,
  make: () => Promise<PlaceUnderTest>,
  away: 'PUBLISHER_UNREACHABLE' | 'API_SERVER_UNREACHABLE' = 'PUBLISHER_UNREACHABLE',
): void {
  const issuerOf = ({ publicUrl, fetch }: PlaceUnderTest) => ({
    jwksUrl: publicUrl('jwks'),
    discoveryUrl: publicUrl('discovery'),
    fetch,
  });

  describe(`publisher contract, reading: ${name}`, () => {
    test('a document that is missing is undefined to its owner and JWKS_NOT_PUBLIC to everyone else', async () => {
      const { open, publicUrl, fetch, show } = await make();
      await show(0);
      expect(await open().read('jwks')).toBeUndefined();
      await expect(readPublic(publicUrl('jwks'), { fetch })).rejects.toMatchObject({
        code: 'JWKS_NOT_PUBLIC',
        subject: publicUrl('jwks'),
        retryable: false,
      });
    });

    test('a document that is private is JWKS_NOT_PUBLIC, and its owner still sees it', async () => {
      const { open, publicUrl, fetch, show, makePrivate } = await make();
      await show(1);
      const { body } = await readPublic(publicUrl('jwks'), { fetch });
      await makePrivate();
      await expect(readPublic(publicUrl('jwks'), { fetch })).rejects.toMatchObject({ code: 'JWKS_NOT_PUBLIC' });
      expect((await open().read('jwks'))?.body).toBe(body);
    });

    test('the public gets the bytes that the owner sees, as JSON, and is told how long they may be cached', async () => {
      const { open, publicUrl, fetch, show } = await make();
      await show(2);
      const seen = await readPublic(publicUrl('jwks'), { fetch });
      expect(seen).toMatchObject({
        body: (await open().read('jwks'))?.body,
        contentType: expect.stringMatching(/^application\/(jwk-set\+)?json/) as unknown,
        cacheControl: expect.stringMatching(/^public, max-age=\d+$/) as unknown,
      });
      expect(kidsOf(seen.body)).toHaveLength(2);
    });

    test('keys beyond the hundredth are shown too, and none is lost', async () => {
      const { open, publicUrl, fetch, show } = await make();
      await show(2);
      const before = kidsOf((await open().read('jwks'))?.body ?? '');
      await show(101);
      const kids = kidsOf((await readPublic(publicUrl('jwks'), { fetch })).body);
      expect(new Set(kids).size).toBe(101);
      expect(kids).toEqual(expect.arrayContaining([...before]));
    });

    test('a cache that still gives the former document is waited for', async () => {
      const place = await make();
      await place.show(1);
      const front = startCachingFront(place.fetch);
      const issuer = { ...issuerOf(place), fetch: front.fetch };
      const [former] = await readPublicKids(issuer);
      await place.show(2);
      const { body } = (await place.open().read('jwks')) ?? { body: '' };
      expect(await readPublicKids(issuer)).toEqual([former]);
      const waits: string[] = [];
      const report = (words: string) => {
        waits.push(words);
        front.expire();
      };
      await confirmPublic(issuer.jwksUrl, body, issuer, { signal: new AbortController().signal, report });
      expect(waits).toEqual([`waiting until ${issuer.jwksUrl} shows the document that was written`]);
      expect(await readPublicKids(issuer)).toHaveLength(2);
    });

    test.each([
      ['is not UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
      ['is larger than 1 MiB', Buffer.alloc(1_048_577, 0x20)],
      ['is no JWKS', '<html></html>'],
    ])('a public document that %s is JWKS_MALFORMED', async (_, content) => {
      const place = await make();
      await place.store('jwks', content, 'application/json');
      await expect(readPublicKids(issuerOf(place))).rejects.toMatchObject({ code: 'JWKS_MALFORMED', retryable: false });
    });

    test('a public document with another content type is read, and its type is told', async () => {
      const place = await make();
      await place.store('jwks', ofCcoctl, 'text/plain');
      const { kids, serving } = await readPublicJwks(issuerOf(place));
      expect(kids).toEqual(['foreign']);
      const { contentType } = await readPublic(place.publicUrl('jwks'), place);
      expect(serving).toMatchObject({ url: place.publicUrl('jwks'), contentType });
    });

    test('an outage is told as one, worth another try, and passes', async () => {
      const { open, publicUrl, fetch, show, duringOutage } = await make();
      await show(1);
      const before = await open().read('jwks');
      await duringOutage(async () => {
        await expect(open().read('jwks')).rejects.toMatchObject({ code: away, retryable: true });
        await expect(readPublic(publicUrl('jwks'), { fetch })).rejects.toMatchObject({
          code: 'PUBLISHER_UNREACHABLE',
          retryable: true,
        });
      });
      expect((await open().read('jwks'))?.body).toBe(before?.body);
    });

    test('says where it publishes, and no secret', async () => {
      const { open } = await make();
      expect(open().description).not.toBe('');
      expect(open().description).not.toMatch(/AccountKey|sig=|Signature|[Tt]oken/);
    });
  });
}

function writingContract(name: string, make: () => Promise<PublisherUnderTest>): void {
  describe(`publisher contract, writing: ${name}`, () => {
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

    test('of 20 writers that race with keys of their own none loses its key', { timeout: 120_000 }, async () => {
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

    test('a writer that is always too late gives up after its attempts, and what the others wrote stays', async () => {
      const { open } = await make();
      const others: string[] = [];
      /** Somebody else adds a key between each read and write. */
      const disturbed: JwksPublisher = {
        description: 'disturbed',
        read: (document) => open().read(document),
        write: async (document, body, precondition) => {
          others.push(`other-${others.length}`);
          await updateDocument(open(), document, (current) =>
            mergeKeys(
              current,
              others.map((kid) => rsa(kid)),
            ),
          );
          await open().write(document, body, precondition);
        },
      };
      const late = updateDocument(disturbed, 'jwks', (body) => mergeKeys(body, [rsa('late')]), { maxAttempts: 3 });
      await expect(late).rejects.toMatchObject({ code: 'JWKS_CHANGED', retryable: true });
      expect(kidsOf((await open().read('jwks'))?.body ?? '')).toEqual(['other-0', 'other-1', 'other-2']);
    });

    test.each([
      ['ccoctl', ofCcoctl],
      ['ccoctl, lines without indentation', vector('openshift-two-keys.json')],
      ['azwi', vector('azwi-bundle.json')],
    ])('a document of %s keeps its foreign keys and its layout, and comes back byte for byte', async (_, foreign) => {
      const { open, store } = await make();
      await store('jwks', foreign, 'application/json');
      const added = await updateDocument(open(), 'jwks', (body) => mergeKeys(body, [rsa('ours')]));
      expect(added.body.startsWith(foreign.slice(0, foreign.lastIndexOf('}', foreign.lastIndexOf(']')) + 1))).toBe(
        true,
      );
      expect(kidsOf((await open().read('jwks'))?.body ?? '')).toEqual([...kidsOf(foreign), 'ours']);
      await updateDocument(open(), 'jwks', (body = '') => removeKey(body, 'ours'));
      expect((await open().read('jwks'))?.body).toBe(foreign);
    });

    test('a document that another tool stored as plain text is JSON with the next write', async () => {
      const { open, store, publicUrl, fetch } = await make();
      await store('jwks', ofCcoctl, 'text/plain');
      await updateDocument(open(), 'jwks', (body) => mergeKeys(body, [rsa('ours')]));
      const { contentType, cacheControl } = await readPublic(publicUrl('jwks'), { fetch });
      expect({ contentType, cacheControl }).toEqual({
        contentType: 'application/json',
        cacheControl: 'public, max-age=300',
      });
    });

    test.each([
      ['is not UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
      ['is larger than 1 MiB', Buffer.alloc(1_048_577, 0x20)],
    ])('a document that %s is JWKS_MALFORMED, and stays as it is', async (_, content) => {
      const { open, store } = await make();
      await store('jwks', content, 'application/json');
      const update = updateDocument(open(), 'jwks', (body) => mergeKeys(body, [rsa('ours')]));
      await expect(update).rejects.toMatchObject({ code: 'JWKS_MALFORMED', retryable: false });
    });

    test('a document that is no JWKS is JWKS_MALFORMED, and stays as it is', async () => {
      const { open, store } = await make();
      await store('jwks', '<html>\uFEFF</html>', 'application/json');
      const update = updateDocument(open(), 'jwks', (body) => mergeKeys(body, [rsa('ours')]));
      await expect(update).rejects.toMatchObject({ code: 'JWKS_MALFORMED', retryable: false });
      expect((await open().read('jwks'))?.body).toBe('<html>\uFEFF</html>');
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

    test('where nothing is yet, nothing speaks against writing', async () => {
      const { open } = await make();
      await open().assertWritable?.();
      expect(await open().read('jwks')).toBeUndefined();
    });

    test('that it can be written is shown without writing', async () => {
      const { open, store } = await make();
      await store('jwks', ofCcoctl, 'text/plain');
      const before = await open().read('jwks');
      await open().assertWritable?.();
      expect(await open().read('jwks')).toEqual(before);
    });

    test('a write during an outage is worth another try, and has changed nothing', async () => {
      const { open, duringOutage } = await make();
      await open().write('jwks', 'x', 'absent');
      await duringOutage(async () => {
        const write = open().write('jwks', 'y', 'absent');
        await expect(write).rejects.toMatchObject({ code: 'PUBLISHER_UNREACHABLE', retryable: true });
      });
      expect((await open().read('jwks'))?.body).toBe('x');
    });

    test('an outage between reading and writing loses nothing, and the update is done afterwards', async () => {
      const { open, store, duringOutage } = await make();
      await store('jwks', ofCcoctl, 'application/json');
      const cutOff: JwksPublisher = {
        description: 'cut off',
        read: (document) => open().read(document),
        write: (...write) => duringOutage(() => open().write(...write)),
      };
      const update = (publisher: JwksPublisher) =>
        updateDocument(publisher, 'jwks', (body) => mergeKeys(body, [rsa('ours')]));
      await expect(update(cutOff)).rejects.toMatchObject({ code: 'PUBLISHER_UNREACHABLE', retryable: true });
      expect((await open().read('jwks'))?.body).toBe(ofCcoctl);
      expect(await update(open())).toMatchObject({ changed: true, former: ofCcoctl });
    });
  });
}
