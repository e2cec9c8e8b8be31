// Other files in kubelet's folder: those that would start the same pod are refused, all others are nobody's business.
import { rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StaticPodWorld } from '../../fakes/static-pod-world.ts';
import { ecKeyPair } from './key-pairs.ts';
import { freely, steps } from './steps.ts';
import type { Scene } from './steps.ts';

const former = ecKeyPair();
const next = ecKeyPair();
let scene: Scene;
beforeEach(async () => {
  scene = { world: await StaticPodWorld.create({ former }), former, next };
});
afterEach(() => scene.world.remove());

const at = (name: string): string => scene.world.node.path(`manifests/${name}`);
const place = (name: string, content = scene.world.node.manifest()): Promise<void> => writeFile(at(name), content);

test.for(['kube-apiserver.yaml.bak', 'kube-apiserver.yaml~', 'sedYr4x1Q', 'api.json'])(
  'Preflight refuses %s beside the manifest: kubelet reads it too',
  async (name) => {
    await place(name);
    expect((await scene.world.platform.observe()).problems).toEqual([
      {
        code: 'MANIFEST_UNSUPPORTED',
        subject: `node-1:${at(name)}`,
        message: expect.stringContaining('is a second manifest of the pod of kube-apiserver'),
      },
    ]);
  },
);

test('a copy of the controller manager is refused, too', async () => {
  await place('old.yaml', scene.world.node.manifest('kube-controller-manager'));
  expect((await scene.world.platform.observe()).problems).toMatchObject([
    { message: expect.stringContaining('of the pod of kube-controller-manager') },
  ]);
});

test('hidden files, other pods, folders and what is no manifest are left alone', async () => {
  await place('.kube-apiserver.yaml.swp');
  await place('haproxy.yaml', scene.world.node.manifest().replace('name: kube-apiserver', 'name: haproxy'));
  await place('README', 'kube-apiserver: do not touch\n\t- {');
  await writeFile(at('core'), Buffer.from([0xff, 0xfe, 0x00]));
  await mkdir(at('old'));
  expect((await scene.world.platform.observe()).problems).toEqual([]);
  await expect(steps.trust(scene)).resolves.toMatchObject({ changed: true });
});

describe('a copy that appears while a rotation runs', () => {
  test('keeps the manifest from being changed, and stays', async () => {
    await place('kube-apiserver.yaml.tmp');
    const before = scene.world.node.manifest();
    await expect(steps.trust(scene)).rejects.toMatchObject({
      code: 'MANIFEST_UNSUPPORTED',
      subject: `node-1:${at('kube-apiserver.yaml.tmp')}`,
      retryable: false,
    });
    expect(scene.world.node.manifest()).toBe(before);
    expect(scene.world.node.isReady).toBe(true);
    rmSync(at('kube-apiserver.yaml.tmp'));
    await expect(steps.trust(scene)).resolves.toMatchObject({ changed: true });
  });

  test('is waited for where it goes in a moment, as an editor’s does', async () => {
    await place('kube-apiserver.yaml.tmp');
    const said: string[] = [];
    const report = (words: string): void => {
      said.push(words);
      if (said.length === 3) rmSync(at('kube-apiserver.yaml.tmp'));
    };
    await expect(steps.trust(scene, 0, { ...freely(), report })).resolves.toMatchObject({ changed: true });
    expect(said[0]).toContain('waiting until its manifest is the only one');
  });
});
