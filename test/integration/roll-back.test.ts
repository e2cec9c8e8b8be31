// Going back from every phase of a real rotation: everything is byte for byte what it was, and no token was rejected.
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rollBackUpdate } from '../../src/workflows/messages.ts';
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
beforeAll(async () => {
  scene = await openScene({
    nodes: 2,
    policies: { relyingPartyCache: '3s', drain: { policy: 'fixed', duration: '5s', allowShorter: 'test' } },
  });
  await scene.startWorker();
});
afterAll(async () => scene?.close());

test.for([
  { at: 'stage-key', by: 'update' },
  { at: 'wait-for-relying-parties', by: 'update' },
  { at: 'trust/node-2', by: 'cancellation' },
  { at: 'switch-controller-manager/node-2', by: 'update' },
  { at: 'drain', by: 'update' },
] as const)('from $at, by $by', async ({ at, by }) => {
  const before = await snapshotNodes(scene);
  const jwksBefore = await readPublicJwks(scene);
  const handle = await rotate(scene);
  // Staging takes a moment only: the roll back comes as early as it can.
  await waitForStatus(handle, at === 'stage-key' ? ({ phase }) => phase !== 'Preflight' : stepRuns(at));

  if (by === 'update')
    await handle.executeUpdate(rollBackUpdate, { args: [{ reason: 'changed our mind', by: 'test' }] });
  else await handle.cancel();
  const audit = await handle.result();

  expect(audit).toMatchObject({
    outcome: 'rolled-back',
    decisions: [{ decision: by === 'update' ? 'rollBack' : 'cancel' }],
  });
  expect(audit.probes?.rejected ?? 0).toBe(0);
  expect(await snapshotNodes(scene)).toEqual(before);
  expect(await readPublicJwks(scene)).toEqual(jwksBefore);
  expect(await readdir(path.join(scene.directory, 'keys'))).toEqual([]);
});
