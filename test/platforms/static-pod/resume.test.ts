// Every step done twice, and every step that dies before or after any of its writes and is called again.
import { basename } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { Died } from '../../fakes/node-files.ts';
import { readTree } from '../../fakes/file-tree.ts';
import { StaticPodWorld } from '../../fakes/static-pod-world.ts';
import type { KeyLayout } from '../../../src/rotation/key-layout.ts';
import { ecKeyPair } from './key-pairs.ts';
import { FORWARD, LAYOUTS, THERE_AND_BACK, freely, run, steps } from './steps.ts';
import type { Scene, Step, StepName } from './steps.ts';

const former = ecKeyPair();
const next = ecKeyPair();
const foreign = ecKeyPair();
const worlds: StaticPodWorld[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.remove();
});

async function sceneBefore(keyLayout: KeyLayout, path: readonly StepName[], index: number): Promise<Scene> {
  const world = await StaticPodWorld.create({ former, otherKeys: foreign.publicPem, keyLayout });
  worlds.push(world);
  const scene = { world, former, next };
  await run(scene, path.slice(0, index));
  return scene;
}

/** Everything that stays, without the name of the temporary folder. */
async function endState({ world }: Scene): Promise<unknown> {
  world.settle();
  const { node } = world;
  const tree = JSON.stringify(await readTree(node.directory)).replaceAll(basename(world.root), 'world');
  return {
    tree: JSON.parse(tree) as unknown,
    published: node.publishedKids,
    signing: node.signingKid,
    controllerManager: node.controllerManagerKid,
  };
}

const cases = LAYOUTS.flatMap((keyLayout) =>
  [FORWARD, THERE_AND_BACK].flatMap((path, which) =>
    path.map((name, index) => ({
      keyLayout,
      name,
      index,
      path,
      direction: which === 0 ? 'forward' : 'there and back',
    })),
  ),
);

describe.for(cases)('$keyLayout: $name ($direction)', ({ keyLayout, name, index, path }) => {
  const step = steps[name] as Step;

  test('done twice changes nothing the second time', async () => {
    const scene = await sceneBefore(keyLayout, path, index);
    await step(scene);
    const once = await readTree(scene.world.node.directory);
    const writes: string[] = [];
    scene.world.node.files.around = (_, file) => void writes.push(file);
    const again = await step(scene);
    expect(await readTree(scene.world.node.directory)).toEqual(once);
    if (again) expect(again).toMatchObject({ changed: false, restartMs: 0 });
    if (again && name !== 'signWithFormer' && name !== 'distrust') expect(writes).toEqual([]);
  });

  test.for(['before', 'after'] as const)(
    'dying %s any change of a file, is completed by the next call',
    async (moment) => {
      const whole = await sceneBefore(keyLayout, path, index);
      await step(whole);
      const expected = await endState(whole);
      let died = 0;
      for (let nth = 1; ; nth += 1) {
        const scene = await sceneBefore(keyLayout, path, index);
        scene.world.node.files.dieAt(nth, moment);
        const outcome = await step(scene).then(
          () => 'finished',
          (error: unknown) => {
            expect(error).toBeInstanceOf(Died);
            return 'died';
          },
        );
        if (outcome === 'finished') break;
        died += 1;
        scene.world.node.files.dieNever();
        scene.world.advance(nth % 2 === 0 ? 30_000 : 0);
        await step(scene);
        expect(await endState(scene), `died ${moment} change ${nth}`).toEqual(expected);
        expect([...scene.world.violations]).toEqual([]);
      }
      expect(died).toBeGreaterThan(0);
    },
  );
});

test('a step that is stopped leaves the node as it is, and the next call goes on', async () => {
  const scene = await sceneBefore('flags', FORWARD, 1);
  const stop = new AbortController();
  const control = { signal: stop.signal, report: () => stop.abort(new Error('worker is shutting down')) };
  await expect(steps.trust(scene, 0, control)).rejects.toThrow('worker is shutting down');
  expect(scene.world.node.manifest()).toContain(`sa-${next.kid}.pub`);
  expect(await steps.trust(scene, 0, freely())).toMatchObject({ changed: false });
  expect(scene.world.node.publishedKids).toContain(next.kid);
});

test.for(LAYOUTS)(
  '%s: an API server that restarts by itself at any moment of a step is in a right state',
  async (keyLayout) => {
    for (const [index, name] of FORWARD.entries()) {
      const scene = await sceneBefore(keyLayout, FORWARD, index);
      const { node } = scene.world;
      node.files.around = () => {
        node.restart();
        expect(node.isReady).toBe(true);
        expect(node.publishedKids).toContain(node.signingKid);
      };
      await (steps[name] as Step)(scene);
      expect([...scene.world.violations]).toEqual([]);
    }
  },
);
