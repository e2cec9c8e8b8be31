// The Blob service of the demo: public reads over https, and an outage that loses nothing.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BlobServiceClient, type StoragePipelineOptions } from '@azure/storage-blob';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BlobStore, startBlobStore } from '../../src/demo/blob-store.ts';

let directory: string;
let store: BlobStore;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyturn-blobs-'));
  store = await startBlobStore({ directory });
});
afterAll(async () => {
  await store?.stop();
  await rm(directory, { recursive: true, force: true });
});

async function readAnonymously(name: string): Promise<string> {
  const ca = await readFile(store.caPath);
  return new Promise((resolve, reject) => {
    get(`${store.containerUrl}/${name}`, { ca, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => (body += part));
      response.once('end', () => resolve(`${response.statusCode} ${body}`));
    }).once('error', reject);
  });
}

describe('startBlobStore', () => {
  it('has a container that anyone may read, at an https address', async () => {
    expect(store.containerUrl).toMatch(/^https:\/\/127\.0\.0\.1:\d+\/devstoreaccount1\/oidc$/);
    await upload('openid/v1/jwks', '{"keys":[]}');
    expect(await readAnonymously('openid/v1/jwks')).toBe('200 {"keys":[]}');
  });

  it('is away after stop, and comes back at the same address with the same blobs', async () => {
    await upload('kept', 'still here');
    await store.stop();
    await store.stop();
    await expect(readAnonymously('kept')).rejects.toThrow('ECONNREFUSED');
    await store.start();
    expect(await readAnonymously('kept')).toBe('200 still here');
  });
});

async function upload(name: string, content: string): Promise<void> {
  const ca = await readFile(store.caPath, 'utf8');
  const options: StoragePipelineOptions & { readonly tlsOptions: { readonly ca: string } } = { tlsOptions: { ca } };
  const service = BlobServiceClient.fromConnectionString(store.connectionString, options);
  await service.getContainerClient('oidc').getBlockBlobClient(name).upload(content, content.length);
}
