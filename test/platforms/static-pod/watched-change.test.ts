// Nodes that cannot be reached while their own API server is away: what must be put back there is put back by the node's watchdog.
import { afterEach, describe, expect, test } from 'vitest';
import { KeyturnError } from '../../../src/errors.ts';
import { readTree } from '../../fakes/file-tree.ts';
import type { FakeWatchdog } from '../../fakes/node-watchdog.ts';
import { READY_TIMEOUT_MS, StaticPodWorld } from '../../fakes/static-pod-world.ts';
import { ecKeyPair } from './key-pairs.ts';
import type { KeyLayout } from '../../../src/rotation/key-layout.ts';
import { API_SERVER_STEPS, FORWARD, LAYOUTS, freely, run, steps, THERE_AND_BACK } from './steps.ts';
import type { Scene, Step, StepName } from './steps.ts';

const former = ecKeyPair();
const next = ecKeyPair();
let world: StaticPodWorld | undefined;
afterEach(() => world?.remove());

/** The node is reached only while its API server is ready. */
async function sceneBefore(
  name: StepName,
  path: readonly StepName[] = FORWARD,
  keyLayout: KeyLayout = 'flags',
): Promise<{ scene: Scene; watchdog: FakeWatchdog }> {
  world = await StaticPodWorld.create({ former, keyLayout });
  const scene = { world, former, next };
  const { node } = world;
  const watchdog = node.files.reachThroughPods(() => node.isReady);
  await run(scene, path.slice(0, path.indexOf(name)));
  expect(watchdog.armed).toBeUndefined();
  return { scene, watchdog };
}

test.for(LAYOUTS)(
  '%s: a whole rotation and the way back leave nothing armed, and the watchdog has nothing to do',
  async (keyLayout) => {
    const { scene, watchdog } = await sceneBefore('retire', FORWARD, keyLayout);
    await run(scene, ['retire']);
    expect(watchdog.armed).toBeUndefined();
    expect(watchdog.putBack).toEqual([]);
    await world?.remove();
    const back = await sceneBefore('removeBackUp', THERE_AND_BACK, keyLayout);
    expect(back.watchdog.armed).toBeUndefined();
    expect(back.watchdog.putBack).toEqual([]);
  },
);

describe.for(API_SERVER_STEPS)('$keyLayout: $name', ({ keyLayout, name, path }) => {
  const step = steps[name] as Step;

  test('an API server that never comes back is healed, and told as if we had put the manifest back', async () => {
    const { scene, watchdog } = await sceneBefore(name, path, keyLayout);
    const { node } = scene.world;
    const before = node.manifest();
    const tree = await readTree(node.directory);
    const shown = [new Set(node.publishedKids), node.signingKid];
    node.refuses = (manifest) => manifest !== before;
    const refused = await step(scene).then(
      () => undefined,
      (error: unknown) => error as KeyturnError,
    );
    expect(refused).toMatchObject({
      code: 'MANIFEST_REFUSED',
      retryable: false,
      details: { manifestBack: true, runsAgain: true, waitedMs: READY_TIMEOUT_MS },
    });
    expect(refused?.message).toContain('The former manifest is back, it runs with it again');
    expect(watchdog.putBack.at(-1)).toBe(node.path('manifests/kube-apiserver.yaml'));
    expect(watchdog.armed).toBeUndefined();
    expect(node.isReady).toBe(true);
    expect([new Set(node.publishedKids), node.signingKid]).toEqual(shown);
    expect([...scene.world.violations]).toEqual([]);
    const after = await readTree(node.directory);
    expect(Object.fromEntries(Object.entries(after).filter(([file]) => file in tree))).toEqual(tree);
    node.refuses = () => false;
    await expect(step(scene)).resolves.toMatchObject({ changed: true });
    expect(watchdog.armed).toBeUndefined();
  });

  test('a run that dies while the API server is away is healed without us, and the step can be done again', async () => {
    const { scene, watchdog } = await sceneBefore(name, path, keyLayout);
    const { node } = scene.world;
    const before = node.manifest();
    node.refuses = (manifest) => manifest !== before;
    const stop = new AbortController();
    const control = { ...freely(), signal: stop.signal, report: () => !node.isReady && stop.abort(new Error('died')) };
    await expect(step(scene, 0, control as ReturnType<typeof freely>)).rejects.toThrow('died');
    expect(node.manifest()).not.toBe(before);
    scene.world.advance(READY_TIMEOUT_MS);
    expect(node.manifest()).toBe(before);
    scene.world.settle();
    expect(node.isReady).toBe(true);
    node.refuses = () => false;
    await expect(step(scene)).resolves.toMatchObject({ changed: true });
    expect(watchdog.armed).toBeUndefined();
  });

  test('a call that takes up one that died is watched over, too', async () => {
    const { scene, watchdog } = await sceneBefore(name, path, keyLayout);
    const { node } = scene.world;
    const before = node.manifest();
    node.noticeMs = 10_000;
    node.refuses = (manifest) => manifest !== before;
    node.files.around = (moment, file) => {
      if (moment === 'after' && file.endsWith('kube-apiserver.yaml')) throw new Error('died');
    };
    await expect(step(scene)).rejects.toThrow('died');
    node.files.dieNever();
    await expect(step(scene)).rejects.toMatchObject({ code: 'MANIFEST_REFUSED', details: { runsAgain: true } });
    expect(node.manifest()).toBe(before);
    expect(watchdog.armed).toBeUndefined();
  });
});

test('the watchdog is armed before the manifest is changed: where it cannot be, nothing is', async () => {
  const { scene, watchdog } = await sceneBefore('trust');
  const { node } = scene.world;
  const before = node.manifest();
  watchdog.arm = async () => {
    throw new KeyturnError('NODE_DISK_FULL', 'full', { subject: 'node-1', remedy: 'Free some space' });
  };
  await expect(steps.trust(scene)).rejects.toMatchObject({ code: 'NODE_DISK_FULL' });
  expect(node.manifest()).toBe(before);
});

test('an effect that is shown just before the watchdog acts does not count', async () => {
  const { scene } = await sceneBefore('trust');
  const { node } = scene.world;
  const before = node.manifest();
  // Ready with the new manifest, but the node is reached again only after the watchdog has acted.
  let away = false;
  node.files.around = (moment, file) => {
    if (moment === 'after' && file.endsWith('kube-apiserver.yaml')) away = true;
  };
  node.files.isReachable = () => !away || node.manifest() === before;
  await expect(steps.trust(scene)).rejects.toMatchObject({
    code: 'MANIFEST_REFUSED',
    details: { runsAgain: true, lastReason: expect.stringContaining('too late') },
  });
  expect(node.manifest()).toBe(before);
});

test('a node that stays away after its put-back is said not to run as before', async () => {
  const { scene } = await sceneBefore('trust');
  const { node } = scene.world;
  const before = node.manifest();
  node.refuses = (manifest) => {
    if (manifest !== before) node.restartMs = 10 * READY_TIMEOUT_MS;
    return manifest !== before;
  };
  await expect(steps.trust(scene)).rejects.toMatchObject({
    code: 'MANIFEST_REFUSED',
    details: { manifestBack: false, runsAgain: false },
    message: expect.stringContaining('The watchdog on the node was to put the former one back'),
  });
  expect(node.manifest()).toBe(before);
});
