// A whole rotation of a real HA control plane: what it leaves. What rotations survive: faults.test.ts.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toJwk } from '../../src/keys/jwk.ts';
import { generateKeyPair } from '../../src/keys/generate.ts';
import { mergeKeys } from '../../src/jwks/edit-jwks.ts';
import { AzureBlobPublisher } from '../../src/publishers/azure-blob.ts';
import { updateDocument } from '../../src/publishers/update-document.ts';
import { expectCleanEnd } from './clean-end.ts';
import { openScene, readPublicJwks, rotate, snapshotNodes, type Scene } from './rotation-scene.ts';

let scene: Scene;

beforeAll(async () => {
  scene = await openScene();
  await scene.startWorker();
});
afterAll(async () => scene?.close());

async function publisher(): Promise<AzureBlobPublisher> {
  return new AzureBlobPublisher({
    containerUrl: scene.blobStore.containerUrl,
    credentials: { connectionString: scene.blobStore.connectionString },
    ca: await readFile(scene.blobStore.caPath, 'utf8'),
  });
}

test('a rotation with a foreign key in the JWKS and another writer racing it ends clean, and no token was rejected', async () => {
  const before = await snapshotNodes(scene);
  const foreign = await generateKeyPair('rsa-2048');
  await updateDocument(await publisher(), 'jwks', (body) => mergeKeys(body, [toJwk(foreign)]));
  const racing = new AbortController();
  const racers = raceForTheJwks(await publisher(), racing.signal);

  const handle = await rotate(scene);
  const audit = await handle.result();
  racing.abort();
  const racedIn = await racers;

  await expectCleanEnd(scene, audit, before);
  expect((await readPublicJwks(scene)).kids).toEqual(expect.arrayContaining([foreign.kid, ...racedIn]));
  expect(racedIn.length).toBeGreaterThan(0);
  expect(audit.steps.filter(({ id }) => id.startsWith('sign/'))).toHaveLength(3);
  const { events, bytes } = await historySize(handle);
  expect(events).toBeLessThan(300);
  expect(bytes).toBeLessThan(200_000);
});

test('no private key is in the history, the database, a log, an audit record or the object store', async () => {
  const privatePem = await readFile(path.join(scene.controlPlane.nodes[0]!.pkiDirectory, 'sa.key'), 'utf8');
  // The first lines hold the modulus (RFC 8017 A.1.2), which is public: it stands in the JWKS too, sometimes letter for letter.
  const secrets = privatePem
    .split('\n')
    .filter((line) => line.length === 64)
    .slice(7);
  expect(secrets.length).toBeGreaterThan(10);
  const holdsSecret = async (file: string) => {
    const content = await readFile(file);
    return secrets.some((line) => content.includes(line));
  };

  const found: string[] = [];
  for (const entry of await readdir(scene.directory, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    if (entry.isFile() && (await holdsSecret(file))) found.push(path.relative(scene.directory, file));
  }
  // Where it belongs, and nowhere else: this also shows that it would be found.
  expect(found.toSorted()).toEqual(['node-1', 'node-2', 'node-3'].map((node) => `control-plane/${node}/pki/sa.key`));
});

/** Adds a key of its own again and again, as another tool would, until told to stop. */
async function raceForTheJwks(target: AzureBlobPublisher, signal: AbortSignal): Promise<readonly string[]> {
  const kids: string[] = [];
  while (!signal.aborted && kids.length < 8) {
    const key = await generateKeyPair('rsa-2048');
    await updateDocument(target, 'jwks', (body) => mergeKeys(body, [toJwk(key)]));
    kids.push(key.kid);
    await sleep(1500, undefined, { signal }).catch(() => undefined);
  }
  return kids;
}

async function historySize(handle: Awaited<ReturnType<typeof rotate>>): Promise<{ events: number; bytes: number }> {
  const { raw } = await handle.describe();
  return {
    events: Number(raw.workflowExecutionInfo?.historyLength ?? 0),
    bytes: Number(raw.workflowExecutionInfo?.historySizeBytes ?? 0),
  };
}
