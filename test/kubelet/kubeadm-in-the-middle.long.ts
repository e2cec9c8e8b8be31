// Real kubeadm in the middle of rotations whose keys change in place, through agent pods and over ssh: manifests written anew and a node that joins leave
// every token valid. And over ssh with flags, where what kubeadm writes is held.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { retryUpdate, rollBackUpdate } from '../../src/workflows/messages.ts';
import { describeOnKubelet } from '../fixtures/kubelet-bed.ts';
import { expectCleanEnd } from '../integration/clean-end.ts';
import { snapshotNodes, stepRuns } from '../integration/rotation-scene.ts';
import { EveryToken } from './every-token.ts';
import {
  apiServerAddresses,
  because,
  betweenSteps,
  expectNothingLeft,
  namespacesOf,
  openNodesScene,
  regenerateByKubeadm,
  rotateWhile,
  tellFigures,
  untilStatus,
  type NodesScene,
} from './rotation-on-nodes.ts';

const MINUTE_MS = 60_000;

describeOnKubelet('kubeadm in the middle of a rotation in place', () => {
  let scene: NodesScene;
  let namespaces: readonly string[];

  beforeAll(async () => {
    scene = await openNodesScene(() => ({}));
    namespaces = await namespacesOf(scene.bed);
    await scene.startWorker();
  });
  afterAll(() => scene?.close());

  test(
    'init phase control-plane in Trusting, Signing, Draining and after the end, and a join, take nothing away',
    { timeout: 25 * MINUTE_MS },
    async () => {
      const { bed } = scene;
      const before = await snapshotNodes(scene);
      const tokens = new EveryToken(bed);
      const signers = async () => {
        const { refused, kids } = await tokens.tryAll();
        expect(refused).toEqual([]);
        return Object.values(kids);
      };
      const [former] = await signers();

      const audit = await rotateWhile(scene, 'pods-in-place', async (handle) => {
        await betweenSteps(handle, 'trust/node-2', () => regenerateByKubeadm(bed, 'node-1'));

        await betweenSteps(handle, 'sign/node-2', async () => {
          await regenerateByKubeadm(bed, 'node-1');
          // With the keys of a node that signs with the former one still.
          const joined = await bed.joinNode('node-3');
          const kids = await signers();
          expect(kids.filter((kid) => kid === former)).toHaveLength(2);
          expect(new Set(kids).size).toBe(2);
          expect(joined.name).toBe('node-4');
        });
        const { held } = await untilStatus(handle, ({ state }) => state === 'held');
        expect(held, held?.message).toMatchObject({ code: 'GUARD_FAILED' });
        expect(held?.message).toContain(bed.nodes.at(-1)!.address);
        const { address } = bed.nodes.at(-1)!;
        await bed.removeNode('node-4');
        await vi.waitFor(async () => expect(await apiServerAddresses(bed)).not.toContain(address), {
          timeout: 2 * MINUTE_MS,
          interval: 1000,
        });
        await handle.executeUpdate(retryUpdate, because('the node that joined is gone'));

        await untilStatus(handle, stepRuns('drain'));
        await regenerateByKubeadm(bed, 'node-3');
        await signers();
      });
      expect(audit).toMatchObject({ outcome: 'completed', probes: { rejected: 0 } });
      expect(audit.notes).toContainEqual(
        'Key layout: in-place, because the ConfigMap kube-system/kubeadm-config exists.',
      );
      await expectCleanEnd(scene, audit, before);
      tellFigures('through agent pods, in place', audit);

      const after = await snapshotNodes(scene);
      for (const { name } of bed.nodes) await regenerateByKubeadm(bed, name);
      expect(await snapshotNodes(scene)).toEqual(after);
      // Tokens of the former key have ended with it.
      const { refused, kids } = await new EveryToken(bed).tryAll();
      expect(refused).toEqual([]);
      expect(new Set(Object.values(kids))).toEqual(new Set([audit.keys[1]!.kid]));
    },
  );

  test(
    'with flags, what kubeadm has written anew is told by the next guard before anyone signs, and can be rolled back',
    { timeout: 15 * MINUTE_MS },
    async () => {
      const { bed } = scene;
      const before = await snapshotNodes(scene);
      const audit = await rotateWhile(scene, 'ssh-flags', async (handle) => {
        await betweenSteps(handle, 'trust/node-3', () => regenerateByKubeadm(bed, 'node-1'));
        const { held } = await untilStatus(handle, ({ state }) => state === 'held');
        expect(held, held?.message).toMatchObject({ step: 'sign/node-1', code: 'GUARD_FAILED' });
        expect(held?.message).toMatch(/not trusted by node-1\. Has kubeadm written its manifests anew/);
        await handle.executeUpdate(rollBackUpdate, because('an upgrade came in between'));
      });
      expect(audit).toMatchObject({ outcome: 'rolled-back', probes: { rejected: 0 } });
      expect(await snapshotNodes(scene)).toEqual(before);
      await expectNothingLeft(scene, namespaces);
    },
  );

  test(
    'the next rotation, over ssh and with flags, finds all as it needs it',
    { timeout: 15 * MINUTE_MS },
    async () => {
      const before = await snapshotNodes(scene);
      const audit = await rotateWhile(scene, 'ssh-flags', async () => undefined);
      await expectCleanEnd(scene, audit, before);
      await expectNothingLeft(scene, namespaces);
      tellFigures('over ssh, with flags', audit);
    },
  );

  test(
    'over ssh, in place: a kubelet that does not act has its manifest back, and kubeadm takes nothing away',
    { timeout: 20 * MINUTE_MS },
    async () => {
      const { bed } = scene;
      const before = await snapshotNodes(scene);
      const audit = await rotateWhile(scene, 'over-ssh', async (handle) => {
        await untilStatus(handle, stepRuns('trust/node-2'));
        const readManifest = () => readFile(path.join(bed.nodes[2]!.manifestsDirectory, 'kube-apiserver.yaml'), 'utf8');
        const manifest = await readManifest();
        await bed.stopKubelet('node-3');
        const { held } = await untilStatus(handle, ({ state }) => state === 'held');
        expect(held, held?.message).toMatchObject({ step: 'trust/node-3', code: 'MANIFEST_REFUSED' });
        expect(held?.message).toContain('The former manifest is back');
        expect(await readManifest()).toBe(manifest);
        await bed.startKubelet('node-3');
        await regenerateByKubeadm(bed, 'node-1');
        await handle.executeUpdate(retryUpdate, because('kubelet runs again'));

        await betweenSteps(handle, 'sign/node-2', () => regenerateByKubeadm(bed, 'node-1'));
        await untilStatus(handle, stepRuns('drain'));
        await regenerateByKubeadm(bed, 'node-3');
      });
      await expectCleanEnd(scene, audit, before);
      await expectNothingLeft(scene, namespaces);
      tellFigures('over ssh, in place', audit);

      const after = await snapshotNodes(scene);
      for (const { name } of bed.nodes) await regenerateByKubeadm(bed, name);
      expect(await snapshotNodes(scene)).toEqual(after);
    },
  );
});
