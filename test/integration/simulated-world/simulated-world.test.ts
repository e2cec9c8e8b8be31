// The simulation is as good as its world: real kube-apiservers, controller managers and a relying party show the same in the same scenes.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RealControlPlane } from './real-control-plane.ts';
import { playReal } from './real-scene.ts';
import { SCENES } from './scenes.ts';
import { FIRST_JWKS, playSimulated } from './simulated-scene.ts';

let directory: string;
let plane: RealControlPlane;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'keyturn-simulated-world-'));
  plane = await RealControlPlane.start(directory);
});
afterAll(async () => {
  await plane?.stop();
  await rm(directory, { recursive: true, force: true });
});

test.for(SCENES)('$name: as simulated', async (scene) => {
  const real = await playReal(plane, scene, FIRST_JWKS);
  const told = (pictures: typeof real) =>
    pictures.map((picture, index) => ({ after: scene.events[index - 1] ?? 'nothing', ...picture }));
  expect(told(real)).toEqual(told(playSimulated(scene)));
});

test('between them, the scenes break what the order of a rotation keeps', () => {
  const wrong = new Set(SCENES.flatMap((scene) => playSimulated(scene).flatMap((picture) => picture.wrong)));
  for (const node of ['node-1', 'node-2'])
    for (const key of ['the former key', 'the new key'])
      expect(wrong).toContain(`invariant 1: ${node} rejects a valid token of ${key}`);
  expect(wrong).toContain('invariant 1: a relying party rejects a valid token of the new key');
  expect(wrong).toContain('invariant 1: a relying party rejects a valid token of the former key');
});
