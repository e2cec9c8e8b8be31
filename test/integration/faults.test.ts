// A part of the fault matrix (`npm run faults`): many faults in one rotation, and a pair of them from which an operator goes back.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FaultScene } from '../faults/fault-scene.ts';
import { faultNamed } from '../faults/faults.ts';
import { MOMENT_NAMES, type MomentName } from '../faults/moments.ts';
import { runTrial } from '../faults/run-trial.ts';

let world: FaultScene;
beforeAll(async () => {
  world = await FaultScene.open();
});
afterAll(async () => world?.close());

const MINUTE_MS = 60_000;

const FAULTS: Readonly<Partial<Record<MomentName, string>>> = {
  Staging: 'Temporal killed',
  Publishing: 'Blob store stale',
  Trusting: 'manifest changed by another',
  Signing: 'worker killed in the activity',
  Verifying: 'etcd lost',
  Draining: 'API server killed',
  Pruning: 'Blob store answers 403',
  Untrusting: 'network to a node cut',
};

test(
  'a rotation under a fault in every phase is completed, and no valid token was rejected',
  { timeout: 12 * MINUTE_MS },
  async () => {
    const injections = MOMENT_NAMES.flatMap((moment) => {
      const name = FAULTS[moment];
      return name === undefined ? [] : [{ moment, faults: [faultNamed(name)] }];
    });
    const result = await runTrial(world, { injections, ending: 'forward' });
    expect(result).toMatchObject({ outcome: 'completed', findings: [], probes: { rejected: 0 } });
    expect(result.injections.map(({ moment }) => moment)).toEqual(Object.keys(FAULTS));
  },
);

test(
  'rolled back with the worker killed and the object store away in Signing, everything is as it was',
  { timeout: 12 * MINUTE_MS },
  async () => {
    const faults = ['worker killed in the activity', 'Blob store away'].map(faultNamed);
    const result = await runTrial(world, { injections: [{ moment: 'Signing', faults }], ending: 'back' });
    expect(result).toMatchObject({ outcome: 'rolled-back', findings: [], probes: { rejected: 0 } });
  },
);
