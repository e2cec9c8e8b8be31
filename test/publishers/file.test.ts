// The file publisher on a real file system, behind a web server.
import {
  chmod,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FilePublisher } from '../../src/publishers/file.ts';
import type { IssuerDocument } from '../../src/publishers/port.ts';
import { createTrustingFetch } from '../../src/publishers/trusting-fetch.ts';
import { updateDocument } from '../../src/publishers/update-document.ts';
import { publisherContract } from '../contract/publisher.ts';
import { serveFolder, type WebServer } from '../fixtures/web-server.ts';

const PATHS = { jwks: 'openid/v1/jwks', discovery: '.well-known/openid-configuration' } as const;
let root: string;
const servers: WebServer[] = [];

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'keyturn-file-'));
});

afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop().catch(() => undefined)));
  await rm(root, { recursive: true, force: true });
});

async function makeFolder(): Promise<string> {
  return mkdtemp(path.join(root, 'www-'));
}

/** Root may write everywhere. */
async function withoutRoot(run: () => Promise<void>): Promise<void> {
  if (process.getuid?.() !== 0) return run();
  process.seteuid?.(65534);
  await run().finally(() => process.seteuid?.(0));
}

publisherContract('file behind a web server', async () => {
  const directory = await makeFolder();
  let web = await serveFolder(directory);
  servers.push(web);
  const { url } = web;
  return {
    open: () => new FilePublisher({ directory }),
    publicUrl: (document: IssuerDocument) => `${url}/${PATHS[document]}`,
    fetch: createTrustingFetch(),
    // What content type it has is up to the web server: it is told here, and lost with the next write as it was stored nowhere.
    store: async (document, content) => {
      await mkdir(path.dirname(path.join(directory, PATHS[document])), { recursive: true });
      await writeFile(path.join(directory, PATHS[document]), content);
    },
    makePrivate: () => Promise.resolve(void (web.isPublic = false)),
    duringOutage: async (run) => {
      // Of the file system: a name that leads to itself can be neither read nor written.
      await web.stop();
      await rename(directory, `${directory}.away`);
      await symlink(directory, directory);
      try {
        await run();
      } finally {
        await unlink(directory);
        await rename(`${directory}.away`, directory);
        web = await serveFolder(directory, Number(new URL(url).port));
        servers.push(web);
      }
    },
  };
});

describe('the directory', () => {
  test('is missing: nothing is made in its place', async () => {
    const directory = path.join(root, 'no-mount');
    const publisher = new FilePublisher({ directory });
    const missing = { code: 'PUBLISHER_CONTAINER_MISSING', retryable: false };
    await expect(publisher.read('jwks')).rejects.toMatchObject(missing);
    await expect(publisher.write('jwks', '{}', 'absent')).rejects.toMatchObject(missing);
    await expect(stat(directory)).rejects.toThrow('ENOENT');
  });

  test('may not be written: who must let whom is said', async () => {
    const directory = await makeFolder();
    await chmod(root, 0o755);
    await chmod(directory, 0o555);
    await withoutRoot(() =>
      expect(new FilePublisher({ directory }).write('jwks', '{}', 'absent')).rejects.toMatchObject({
        code: 'PUBLISHER_ACCESS_DENIED',
        message: expect.stringContaining('the user who runs the worker') as unknown,
      }),
    );
  });

  test('has nothing but the documents in it afterwards', async () => {
    const directory = await makeFolder();
    const publisher = new FilePublisher({ directory });
    await publisher.write('jwks', 'one', 'absent');
    await publisher.write('jwks', 'two', (await publisher.read('jwks')) ?? 'absent');
    const files = await readdir(directory, { recursive: true, withFileTypes: true });
    expect(files.filter((file) => file.isFile()).map(({ name }) => name)).toEqual(['jwks']);
  });
});

describe('the file', () => {
  test('keeps its mode, so that the web server goes on reading it', async () => {
    const directory = await makeFolder();
    const publisher = new FilePublisher({ directory, jwksPath: 'keys.json' });
    await writeFile(path.join(directory, 'keys.json'), 'one', { mode: 0o640 });
    await publisher.write('jwks', 'two', (await publisher.read('jwks')) ?? 'absent');
    expect((await stat(path.join(directory, 'keys.json'))).mode & 0o777).toBe(0o640);
  });

  test('may be a symbolic link, which stays one', async () => {
    const directory = await makeFolder();
    await writeFile(path.join(directory, 'target.json'), 'one');
    await symlink('target.json', path.join(directory, 'keys.json'));
    const publisher = new FilePublisher({ directory, jwksPath: 'keys.json' });
    await publisher.write('jwks', 'two', (await publisher.read('jwks')) ?? 'absent');
    expect(await readFile(path.join(directory, 'target.json'), 'utf8')).toBe('two');
  });

  test('is never seen in part: a reader gets the former document or the new one', async () => {
    const directory = await makeFolder();
    const publisher = new FilePublisher({ directory, jwksPath: 'keys.json' });
    const long = (text: string) => text.repeat(500_000);
    await publisher.write('jwks', long('a'), 'absent');
    let isWritten = false;
    const writing = (async () => {
      for (const text of ['b', 'c', 'd', 'e'])
        await publisher.write('jwks', long(text), (await publisher.read('jwks')) ?? 'absent');
      isWritten = true;
    })();
    while (!isWritten) {
      const seen = await readFile(path.join(directory, 'keys.json'), 'utf8');
      expect(seen).toBe(long(seen.slice(0, 1)));
    }
    await writing;
  });

  test('that a dead writer left locked is written all the same, once the lock is old', async () => {
    const directory = await makeFolder();
    const publisher = new FilePublisher({ directory, jwksPath: 'keys.json' });
    const lock = path.join(directory, '.keys.json.keyturn-lock');
    await writeFile(lock, '');
    await expect(publisher.write('jwks', 'x', 'absent')).rejects.toMatchObject({
      code: 'JWKS_CHANGED',
      retryable: true,
    });
    await utimes(lock, new Date(0), new Date(0));
    expect(await updateDocument(publisher, 'jwks', () => 'x')).toMatchObject({ changed: true });
    expect(await readdir(directory)).toEqual(['keys.json']);
  });
});
