// Whole rotations of a real HA control plane: what they leave, and what they survive.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toJwk } from '../../src/keys/jwk.ts';
import { generateKeyPair } from '../../src/keys/generate.ts';
import { mergeKeys } from '../../src/jwks/edit-jwks.ts';
import { AzureBlobPublisher } from '../../src/publishers/azure-blob.ts';
import { updateDocument } from '../../src/publishers/update-document.ts';
import { retryUpdate, rollBackUpdate } from '../../src/workflows/messages.ts';
import type { GuardedProcess } from '../../src/demo/guarded-process.ts';
import { expectCleanEnd } from './clean-end.ts';
import {
  openScene,
  readPublicJwks,
  rotate,
  snapshotNodes,
  stepRuns,
  waitForStatus,
  type Scene,
} from './rotation-scene.ts';

let scene: Scene;
let worker: GuardedProcess;

beforeAll(async () => {
  scene = await openScene();
  worker = await scene.startWorker();
});
afterAll(async () => scene?.close());

async function publisher(): Promise<AzureBlobPublisher> {
  return new AzureBlobPublisher({
    containerUrl: scene.blobStore.containerUrl,
    credentials: { connectionString: scene.blobStore.connectionString },
    ca: await readFile(scene.blobStore.caPath, 'utf8'),
  });
}

describe('a rotation of three kube-apiservers', () => {
  let foreignKid = '';

  test('with a foreign key in the JWKS and another writer racing it ends clean, and no token was rejected', async () => {
    const before = await snapshotNodes(scene);
    const foreign = await generateKeyPair('rsa-2048');
    foreignKid = foreign.kid;
    await updateDocument(await publisher(), 'jwks', (body) => mergeKeys(body, [toJwk(foreign)]));
    const racing = new AbortController();
    const racers = raceForTheJwks(await publisher(), racing.signal);

    const handle = await rotate(scene);
    const audit = await handle.result();
    racing.abort();
    const racedIn = await racers;

    await expectCleanEnd(scene, audit, before);
    expect((await readPublicJwks(scene)).kids).toEqual(expect.arrayContaining([foreignKid, ...racedIn]));
    expect(racedIn.length).toBeGreaterThan(0);
    expect(audit.steps.filter(({ id }) => id.startsWith('sign/'))).toHaveLength(3);
    const { events, bytes } = await historySize(handle);
    expect(events).toBeLessThan(300);
    expect(bytes).toBeLessThan(200_000);
  });

  test('the next rotation works on what the first left, and its worker may be killed in Trusting and in Signing', async () => {
    const before = await snapshotNodes(scene);
    const handle = await rotate(scene);
    for (const id of ['trust/node-2', 'sign/node-2']) {
      await waitForStatus(handle, stepRuns(id));
      await sleep(700); // somewhere inside of the step: wherever it is, it must not matter
      worker.signal('SIGKILL');
      await worker.exited;
      worker = await scene.startWorker();
    }
    const audit = await handle.result();
    await expectCleanEnd(scene, audit, before);
    expect((await readPublicJwks(scene)).kids).toContain(foreignKid);
  });

  test('an API server that refuses the new manifest gets the former one back, the rotation is held, then retried', async () => {
    const before = await snapshotNodes(scene);
    const handle = await rotate(scene);
    const sabotage = new AbortController();
    const saboteur = emptyNewPublicKeys(path.join(scene.directory, 'control-plane', 'node-2', 'pki'), sabotage.signal);

    const status = await waitForStatus(handle, ({ state }) => state === 'held');
    sabotage.abort();
    await saboteur;

    expect(status.held).toMatchObject({ step: 'trust/node-2', code: 'MANIFEST_REFUSED' });
    expect(status.held?.message).toContain('node-2');
    const manifest = 'node-2/manifests/kube-apiserver.yaml';
    expect((await snapshotNodes(scene)).get(manifest)).toEqual(before.get(manifest));

    await handle.executeUpdate(retryUpdate, { args: [{ reason: 'the disk was mended' }] });
    const audit = await handle.result();
    await expectCleanEnd(scene, audit, before);
    expect(audit.holds).toHaveLength(1);
  });

  test('a Blob server that is away for a while delays the rotation, no more', async () => {
    const before = await snapshotNodes(scene);
    const handle = await rotate(scene);
    await waitForStatus(handle, stepRuns('trust/node-1'));
    await scene.blobStore.stop();
    await sleep(6000);
    await scene.blobStore.start();
    await expectCleanEnd(scene, await handle.result(), before);
  });

  test('rolled back in Signing, everything is byte for byte as it was', async () => {
    const before = await snapshotNodes(scene);
    const jwksBefore = await readPublicJwks(scene);
    const handle = await rotate(scene);
    await waitForStatus(handle, stepRuns('sign/node-3'));
    await handle.executeUpdate(rollBackUpdate, { args: [{ reason: 'changed our mind' }] });
    const audit = await handle.result();
    expect(audit.outcome).toBe('rolled-back');
    expect(audit.probes?.rejected).toBe(0);
    expect(await snapshotNodes(scene)).toEqual(before);
    expect(await readPublicJwks(scene)).toEqual(jwksBefore);
    expect(await readdir(path.join(scene.directory, 'keys'))).toEqual([]);
  });
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

/** Empties every key file that a rotation brings: kube-apiserver then refuses to start. */
async function emptyNewPublicKeys(pki: string, signal: AbortSignal): Promise<void> {
  const { truncate } = await import('node:fs/promises');
  while (!signal.aborted) {
    for (const name of await readdir(pki)) {
      if (/^sa-.*\.pub$/.test(name)) await truncate(path.join(pki, name)).catch(() => undefined);
    }
    await sleep(5);
  }
}

async function historySize(handle: Awaited<ReturnType<typeof rotate>>): Promise<{ events: number; bytes: number }> {
  const { raw } = await handle.describe();
  return {
    events: Number(raw.workflowExecutionInfo?.historyLength ?? 0),
    bytes: Number(raw.workflowExecutionInfo?.historySizeBytes ?? 0),
  };
}
