// A part of the fault matrix (`npm run faults`): many faults in one rotation, and a pair of them from which an operator goes back.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FaultScene } from '../faults/fault-scene.ts';
import { TELLING, TELLING_BACK } from '../faults/matrix.ts';
import { runTrial } from '../faults/run-trial.ts';

let world: FaultScene;
beforeAll(async () => {
  world = await FaultScene.open();
});
afterAll(async () => world?.close());

/** Of one rotation. */
const TIMEOUT_MS = 20 * 60_000;

test(
  'a rotation under a fault in every phase is completed, and no valid token was rejected',
  { timeout: TIMEOUT_MS },
  async () => {
    const result = await runTrial(world, TELLING);
    expect(result).toMatchObject({ outcome: 'completed', findings: [], probes: { rejected: 0 } });
    expect(result.injections.map(({ moment }) => moment)).toEqual(TELLING.injections.map(({ moment }) => moment));
  },
);

test(
  'rolled back with the worker killed and the object store away in Signing, everything is as it was',
  { timeout: TIMEOUT_MS },
  async () => {
    const result = await runTrial(world, TELLING_BACK);
    expect(result).toMatchObject({ outcome: 'rolled-back', findings: [], probes: { rejected: 0 } });
  },
);
