// What happens when a component does not come with its changed manifest, or somebody else is at it, or an old process is still there.
import { afterEach, describe, expect, test } from 'vitest';
import { KeyturnError } from '../../../src/errors.ts';
import { readTree } from '../../fakes/file-tree.ts';
import { READY_TIMEOUT_MS, StaticPodWorld } from '../../fakes/static-pod-world.ts';
import { ecKeyPair } from './key-pairs.ts';
import type { KeyLayout } from '../../../src/rotation/key-layout.ts';
import { API_SERVER_STEPS, FORWARD, run, steps } from './steps.ts';
import type { Scene, Step, StepName } from './steps.ts';

const former = ecKeyPair();
const next = ecKeyPair();
let world: StaticPodWorld | undefined;
afterEach(() => world?.remove());

async function sceneBefore(
  name: StepName,
  path = FORWARD,
  options: { probeControllerManagers?: boolean; keyLayout?: KeyLayout } = {},
): Promise<Scene> {
  world = await StaticPodWorld.create({ former, ...options });
  const scene = { world, former, next };
  await run(scene, path.slice(0, path.indexOf(name)));
  return scene;
}

/** Rejects if the API server goes down although the step has said that it is done. */
function expectToStayReady({ world: { node, advance }, world: scene }: Scene): void {
  for (let i = 0; i < 100; i += 1) {
    advance.call(scene, 500);
    expect(node.isReady, `down ${i * 500} ms after the step was done`).toBe(true);
  }
}

describe.for(API_SERVER_STEPS)('$keyLayout: $name', ({ keyLayout, name, path }) => {
  const step = steps[name] as Step;
  const isWayBackInPlace = keyLayout === 'in-place' && (name === 'signWithFormer' || name === 'distrust');

  test.for(['ends at once with', 'never hears of'] as const)(
    'puts everything back where the API server %s the new manifest',
    async (trouble) => {
      const scene = await sceneBefore(name, path, { keyLayout });
      const { node } = scene.world;
      const before = node.manifest();
      const tree = await readTree(node.directory);
      const shown = [new Set(node.publishedKids), node.signingKid];
      if (trouble === 'ends at once with') node.refuses = (manifest) => manifest !== before;
      else node.ignores = (manifest) => manifest !== before;
      const refused = await step(scene).then(
        () => undefined,
        (error: unknown) => error as KeyturnError,
      );
      expect(refused).toMatchObject({
        code: 'MANIFEST_REFUSED',
        retryable: false,
        subject: `node-1:${node.path('manifests/kube-apiserver.yaml')}`,
        details: { node: 'node-1', manifestBack: true, runsAgain: true, waitedMs: READY_TIMEOUT_MS },
      });
      expect(refused?.message).toContain(
        'did not come with its changed manifest within 60 s (last: https://node-1:6443 ',
      );
      expect(refused?.message).toContain('The former manifest is back, it runs with it again');
      expect(node.isReady).toBe(true);
      expect([new Set(node.publishedKids), node.signingKid]).toEqual(shown);
      expect([...scene.world.violations]).toEqual([]);
      // Key files that were brought before the manifest was changed stay: the next try or the undo takes them.
      const after = await readTree(node.directory);
      const brought = Object.keys(after).filter((file) => !(file in tree));
      expect(brought).toEqual(
        keyLayout === 'in-place'
          ? []
          : name === 'trust'
            ? [`pki/sa-${next.kid}.pub`]
            : name === 'sign'
              ? [`pki/sa-${next.kid}.key`]
              : [],
      );
      expect(Object.fromEntries(Object.entries(after).filter(([file]) => file in tree))).toEqual(tree);
      // And the step can be done once the trouble is over.
      node.refuses = node.ignores = () => false;
      await expect(step(scene)).resolves.toMatchObject({ changed: true });
      expectToStayReady(scene);
    },
  );

  test('puts the manifest back when a call that died had written it', async () => {
    const scene = await sceneBefore(name, path, { keyLayout });
    const { node } = scene.world;
    const before = node.manifest();
    node.refuses = (manifest) => manifest !== before;
    node.files.around = (moment, file) => {
      if (moment === 'after' && file.endsWith('kube-apiserver.yaml')) throw new Error('died');
    };
    await expect(step(scene)).rejects.toThrow('died');
    expect(node.manifest()).not.toBe(before);
    node.files.dieNever();
    await expect(step(scene)).rejects.toMatchObject({ code: 'MANIFEST_REFUSED' });
    expect(node.manifest()).toBe(before);
    expect(node.isReady).toBe(true);
  });

  test('dying at any moment of putting back, is put back by the next call', async () => {
    for (let nth = 1; nth < 12; nth += 1) {
      const scene = await sceneBefore(name, path, { keyLayout });
      const { node } = scene.world;
      const before = node.manifest();
      const tree = await readTree(node.directory);
      node.refuses = (manifest) => manifest !== before;
      node.files.dieAt(nth, 'after');
      await expect(step(scene)).rejects.toThrow();
      expect([...scene.world.violations]).toEqual([]);
      node.files.dieNever();
      // The activity would try again: an API server that is on its way back is no reason to refuse for good.
      const second = await step(scene).catch((error: unknown) => error);
      if (second instanceof KeyturnError && second.retryable) scene.world.advance(10_000);
      if (second instanceof KeyturnError && !second.retryable) expect(second.code).toBe('MANIFEST_REFUSED');
      else await expect(step(scene)).rejects.toMatchObject({ code: 'MANIFEST_REFUSED' });
      const after = await readTree(node.directory);
      // What the way back has written in place may stay: the call that died was the last to know what had been there, and both manifests do with it.
      const isKnown = (file: string) => file in tree && (!isWayBackInPlace || !file.startsWith('pki/sa.'));
      const known = (of: typeof tree) => Object.fromEntries(Object.entries(of).filter(([file]) => isKnown(file)));
      expect(known(after)).toEqual(known(tree));
      expect(node.isReady).toBe(true);
      expect([...scene.world.violations]).toEqual([]);
      await scene.world.remove();
    }
  });

  test('a manifest that another changes at the same moment is left alone, and the step may be tried again', async () => {
    const scene = await sceneBefore(name, path, { keyLayout });
    const { node } = scene.world;
    const manifestFile = node.path('manifests/kube-apiserver.yaml');
    const theirs = node
      .manifest()
      .replace('apiVersion: v1', 'apiVersion: v1 # theirs')
      .replace('kind: Pod', 'kind: Pod # theirs');
    let raced = false;
    node.files.around = async (moment, file) => {
      if (moment !== 'before' || file !== manifestFile || raced) return;
      raced = true;
      await node.files.write(manifestFile, theirs, { mode: 0o600, uid: process.getuid!(), gid: process.getgid!() });
    };
    await expect(step(scene)).rejects.toMatchObject({ code: 'FILE_CHANGED', retryable: true });
    expect(node.manifest()).toBe(theirs);
    await step(scene);
    expect(node.manifest()).toContain('# theirs');
  });
});

test('taken back after a refused Trusting, nothing is left', async () => {
  const scene = await sceneBefore('backUp');
  const { node } = scene.world;
  const before = node.manifest();
  const tree = await readTree(node.directory);
  node.refuses = (manifest) => manifest !== before;
  await expect(steps.trust(scene)).rejects.toMatchObject({ code: 'MANIFEST_REFUSED' });
  await steps.distrust(scene);
  expect(await readTree(node.directory)).toEqual(tree);
});

test.for(['API_SERVER_FORBIDDEN', 'JWKS_MALFORMED'] as const)(
  'an API server that answers %s at first is waited for; one that goes on so gets its former manifest back',
  async (code) => {
    const scene = await sceneBefore('trust');
    const { node } = scene.world;
    const before = node.manifest();
    const { publishedKeys } = node.apiServer;
    let refusals = 20;
    node.apiServer.publishedKeys = async () => {
      refusals -= 1;
      if (refusals > 0) throw new KeyturnError(code, 'No', { subject: 'x', remedy: 'Wait' });
      return publishedKeys();
    };
    await expect(steps.trust(scene)).resolves.toMatchObject({ changed: true });
    await steps.distrust(scene);
    refusals = Infinity;
    await expect(steps.trust(scene)).rejects.toMatchObject({
      code: 'MANIFEST_REFUSED',
      details: { lastReason: 'No. Wait' },
    });
    expect(node.manifest()).toBe(before);
  },
);

test('an API server that comes too late even with its former manifest is said to be down', async () => {
  const scene = await sceneBefore('trust');
  const { node } = scene.world;
  const before = node.manifest();
  node.refuses = (manifest) => {
    if (manifest !== before) node.restartMs = 10 * READY_TIMEOUT_MS;
    return manifest !== before;
  };
  const step = steps.trust(scene);
  await expect(step).rejects.toMatchObject({ code: 'MANIFEST_REFUSED', details: { runsAgain: false } });
  await expect(step).rejects.toThrow(
    'but it does not run as before yet: https://node-1:6443 is not ready (connection refused)',
  );
  expect(node.manifest()).toBe(before);
});

test('where Untrusting fails and the back-up is gone, the manifest is put back and the new pair stays where both know it', async () => {
  const scene = await sceneBefore('untrust');
  const { node } = scene.world;
  await steps.removeBackUp(scene);
  const before = node.manifest();
  node.refuses = (manifest) => manifest !== before;
  await expect(steps.untrust(scene)).rejects.toThrow(/does not publish|no back-up on the node holds the former pair/);
  expect(node.manifest()).toBe(before);
  expect(node.isReady).toBe(true);
  expect(node.publishedKids).toEqual([next.kid, next.kid]);
});

describe('effects of a process that is not the manifest’s', () => {
  test('Trusting again right after a Distrusting that died waits for the restarts that are still to come', async () => {
    const scene = await sceneBefore('sign');
    const { node } = scene.world;
    node.files.dieAt(1, 'after');
    await expect(steps.distrust(scene)).rejects.toThrow('kube-apiserver.yaml');
    node.files.dieNever();
    // kubelet has just noticed: the process still publishes the key, and is about to end.
    scene.world.advance(250);
    expect(node.publishedKids).toContain(next.kid);
    await steps.trust(scene);
    expect(node.publishedKids).toEqual([former.kid, next.kid]);
    expectToStayReady(scene);
  });

  test('Distrusting right after a Trusting that died waits for the restarts that are still to come', async () => {
    const scene = await sceneBefore('trust');
    const { node } = scene.world;
    node.files.dieAt(2, 'after');
    await expect(steps.trust(scene)).rejects.toThrow('kube-apiserver.yaml');
    node.files.dieNever();
    scene.world.advance(250);
    expect(node.publishedKids).toEqual([former.kid]);
    await steps.distrust(scene);
    expectToStayReady(scene);
    expect(node.publishedKids).toEqual([former.kid]);
  });

  test('Untrusting is not proven by an API server that restarted by itself between the key files and the manifest', async () => {
    const scene = await sceneBefore('untrust');
    const { node } = scene.world;
    node.noticeMs = 5000;
    node.files.around = (moment, file) => {
      if (moment === 'before' && file.endsWith('kube-apiserver.yaml')) {
        node.restart();
        expect(node.publishedKids).toEqual([next.kid, next.kid]);
        expect(node.signingKid).toBe(next.kid);
      }
    };
    const change = await steps.untrust(scene);
    expect(change.restartMs).toBeGreaterThanOrEqual(8000);
    expect(node.publishedKids).toEqual([next.kid]);
    expectToStayReady(scene);
  });

  test('a process that shows the effect for longer than kubelet needs to notice is taken as it is', async () => {
    const scene = await sceneBefore('sign');
    const { node } = scene.world;
    node.ignores = () => true;
    node.files.dieAt(1, 'after');
    await expect(steps.distrust(scene)).rejects.toThrow('kube-apiserver.yaml');
    node.files.dieNever();
    await expect(steps.trust(scene)).resolves.toMatchObject({ changed: true });
  });
});

describe('the controller manager', () => {
  test.for([
    ['switchControllerManager', 'former'],
    ['settleControllerManager', 'next'],
  ] as const)('%s puts the manifest back where the new process does not come', async ([name, stays]) => {
    const scene = await sceneBefore(name);
    const { node } = scene.world;
    const before = node.manifest('kube-controller-manager');
    const kid = stays === 'former' ? former.kid : next.kid;
    node.refuses = (manifest) => manifest.includes('kube-controller-manager') && manifest !== before;
    await expect((steps[name] as Step)(scene)).rejects.toMatchObject({
      code: 'MANIFEST_REFUSED',
      subject: `node-1:${node.path('manifests/kube-controller-manager.yaml')}`,
      details: { lastReason: 'the controller manager does not answer', runsAgain: true },
    });
    expect(node.manifest('kube-controller-manager')).toBe(before);
    expect(node.controllerManagerKid).toBe(kid);
  });

  test('is not proven by the process of before, also where a call that died had changed the manifest', async () => {
    const scene = await sceneBefore('switchControllerManager');
    const { node } = scene.world;
    scene.world.advance(10_000);
    node.noticeMs = 20_000;
    node.files.dieAt(1, 'after');
    await expect(steps.switchControllerManager(scene)).rejects.toThrow('kube-controller-manager.yaml');
    node.files.dieNever();
    expect(node.controllerManagerKid).toBe(former.kid);
    const change = await steps.switchControllerManager(scene);
    expect(change).toMatchObject({ changed: false, restartMs: 0 });
    expect(change.proof).toMatch(
      /^the controller manager of node-1 runs since 2026-01-01T00:\d\d:\d\d\.\d{3}Z, later than its manifest/,
    );
    expect(node.controllerManagerKid).toBe(next.kid);
  });

  test.for(['has no address', 'does not show its metrics'] as const)(
    'that %s is changed all the same, and the proof says what it is worth',
    async (trouble) => {
      const probeControllerManagers = trouble !== 'has no address';
      const scene = await sceneBefore('switchControllerManager', FORWARD, { probeControllerManagers });
      scene.world.node.controllerManager.startTime = async () => undefined;
      const change = await steps.switchControllerManager(scene);
      expect(change.changed).toBe(true);
      expect(change.proof).toContain('cannot be asked from here since when it runs, so Pruning proves the leader by');
    },
  );
});
