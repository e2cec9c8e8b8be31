// Mirrors: two folders behind web servers of their own.
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Publication } from '../../src/activities/cluster-adapters.ts';
import { publishKeys } from '../../src/activities/issuer-steps.ts';
import { changeEverywhere, publicUrlsOf, readAllPublicKids } from '../../src/activities/publications.ts';
import { kidsOf } from '../../src/jwks/jwks.ts';
import { generateKeyPair } from '../../src/keys/generate.ts';
import { FilePublisher } from '../../src/publishers/file.ts';
import { createTrustingFetch } from '../../src/publishers/trusting-fetch.ts';
import { serveFolder, type WebServer } from '../fixtures/web-server.ts';

let root: string;
let servers: WebServer[];
let first: Publication;
let second: Publication;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'keyturn-mirrors-'));
  servers = [];
  first = await makePlace();
  second = await makePlace();
});

afterEach(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  await rm(root, { recursive: true, force: true });
});

async function makePlace(): Promise<Publication> {
  const directory = path.join(root, String(servers.length));
  await mkdtemp(`${directory}-`).then((made) => rename(made, directory));
  const server = await serveFolder(directory);
  servers.push(server);
  return {
    publisher: new FilePublisher({ directory, jwksPath: 'keys.json' }),
    publicIssuer: { jwksUrl: `${server.url}/keys.json`, discoveryUrl: `${server.url}/d`, fetch: createTrustingFetch() },
  };
}

const places = () => ({ ...first, mirrors: [second] });
const fileOf = (index: number) => path.join(root, String(index), 'keys.json');
const control = { signal: new AbortController().signal, report: () => undefined };
const key = await generateKeyPair('rsa-2048');

describe('a key that is published', () => {
  test('is in all places, each with its own foreign keys and its own layout', async () => {
    const ofFirst = '{"keys":[{"kid":"of-first"}]}';
    const ofSecond = '{\n    "keys": [\n        {\n            "kid": "of-second"\n        }\n    ]\n}\n';
    await writeFile(fileOf(0), ofFirst);
    await writeFile(fileOf(1), ofSecond);
    expect(await publishKeys(places(), [key], control)).toBe(true);
    expect(kidsOf(await readFile(fileOf(0), 'utf8'))).toEqual(['of-first', key.kid]);
    expect(kidsOf(await readFile(fileOf(1), 'utf8'))).toEqual(['of-second', key.kid]);
    expect((await readFile(fileOf(1), 'utf8')).startsWith(ofSecond.slice(0, ofSecond.indexOf('}') + 1))).toBe(true);
    expect(await publishKeys(places(), [key], control)).toBe(false);
  });

  test('counts as public only where all places show it, and as gone only where none does', async () => {
    await writeFile(fileOf(0), '{"keys":[{"kid":"both"},{"kid":"first"}]}');
    await writeFile(fileOf(1), '{"keys":[{"kid":"second"},{"kid":"both"}]}');
    expect(await readAllPublicKids(places())).toEqual({ everywhere: ['both'], somewhere: ['both', 'first', 'second'] });
  });
});

describe('where one place fails', () => {
  test('the others have the change, who is behind is told, and the next attempt brings it there', async () => {
    await rename(path.join(root, '0'), path.join(root, 'away'));
    const [behind, done] = [first.publicIssuer.jwksUrl, second.publicIssuer.jwksUrl];
    await expect(publishKeys(places(), [key], control)).rejects.toMatchObject({
      code: 'MIRRORS_DISAGREE',
      subject: behind,
      retryable: false,
      message: expect.stringContaining(`Only ${done} has the change, ${behind} not: `) as unknown,
      details: { done: [done], behind: [{ url: behind, code: 'PUBLISHER_CONTAINER_MISSING' }] },
    });
    expect(kidsOf(await readFile(fileOf(1), 'utf8'))).toEqual([key.kid]);

    await rename(path.join(root, 'away'), path.join(root, '0'));
    await publishKeys(places(), [key], control);
    expect(await readAllPublicKids(places())).toEqual({ everywhere: [key.kid], somewhere: [key.kid] });
  });

  test('one that cannot be read by the public fails too, and keeps guards from being evaluated', async () => {
    servers.forEach((server) => (server.isPublic = false));
    await expect(publishKeys(places(), [key], control)).rejects.toMatchObject({
      code: 'MIRRORS_DISAGREE',
      message: expect.stringContaining('No mirror has the change') as unknown,
    });
    await expect(readAllPublicKids(places())).rejects.toMatchObject({ code: 'JWKS_NOT_PUBLIC' });
  });

  test('it is tried again by itself where all that failed may pass', async () => {
    await servers[1]?.stop();
    const update = publishKeys(places(), [key], control);
    await expect(update).rejects.toMatchObject({ code: 'MIRRORS_DISAGREE', retryable: true });
    servers.pop();
  });

  test('what is no error of a publisher comes through as it is', async () => {
    const stopped = new Error('cancelled');
    await expect(changeEverywhere(places(), () => Promise.reject(stopped))).rejects.toBe(stopped);
  });
});

test('a single place fails with its own words', async () => {
  await rm(path.join(root, '0'), { recursive: true });
  await expect(publishKeys(first, [key], control)).rejects.toMatchObject({ code: 'PUBLISHER_CONTAINER_MISSING' });
  expect(publicUrlsOf(first)).toBe(first.publicIssuer.jwksUrl);
});
