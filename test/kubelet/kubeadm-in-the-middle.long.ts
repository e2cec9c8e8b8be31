// Real kubeadm in the middle of a rotation whose keys change in place: manifests written anew leave every token valid.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pauseUpdate, resumeUpdate } from '../../src/workflows/messages.ts';
import type { RotationHandle } from '../../src/cli/temporal.ts';
import { describeOnKubelet } from '../fixtures/kubelet-bed.ts';
import { snapshotNodes, stepRuns, waitForStatus } from '../integration/rotation-scene.ts';
import { openNodesScene, rotateWhile, type NodesScene } from './rotation-on-nodes.ts';

const MINUTE_MS = 60_000;
const because = (reason: string) => ({ args: [{ reason, by: 'test' }] as [{ reason: string; by: string }] });

describeOnKubelet('kubeadm in the middle of a rotation in place', () => {
  let scene: NodesScene;

  beforeAll(async () => {
    scene = await openNodesScene(() => ({}));
    await scene.startWorker();
  });
  afterAll(() => scene?.close());

  /** Between two steps, so that no API server but the regenerated one is away. */
  async function betweenSteps(handle: RotationHandle, step: string, disturb: () => Promise<void>): Promise<void> {
    await waitForStatus(handle, stepRuns(step), 5 * MINUTE_MS);
    await handle.executeUpdate(pauseUpdate, because('kubeadm is at work'));
    await waitForStatus(handle, ({ state }) => state === 'paused', 5 * MINUTE_MS);
    await disturb();
    await handle.executeUpdate(resumeUpdate, because('kubeadm has ended'));
  }

  /** What an upgrade does, on one node, and the restart that comes of it where the manifest was another one. */
  async function regenerate(node: string): Promise<void> {
    await scene.bed.regenerateControlPlane(node);
    expect(await scene.bed.regenerateSigningKey(node)).toContain('existing');
  }

  test(
    'init phase control-plane in Trusting, Signing, Draining and after the end takes nothing away',
    { timeout: 25 * MINUTE_MS },
    async () => {
      const before = await snapshotNodes(scene);
      const audit = await rotateWhile(scene, scene.overSsh, async (handle) => {
        await betweenSteps(handle, 'trust/node-2', () => regenerate('node-1'));
        await betweenSteps(handle, 'sign/node-2', () => regenerate('node-1'));
        await waitForStatus(handle, stepRuns('drain'), 10 * MINUTE_MS);
        await regenerate('node-3');
      });
      expect(audit).toMatchObject({ outcome: 'completed', probes: { rejected: 0 } });
      expect(audit.notes).toContainEqual('Key layout: in-place, because platform.keyLayout says so.');
      const after = await snapshotNodes(scene);
      const keys = (name: string) => /\/sa\.(key|pub)$/.test(name);
      expect(new Map([...after].filter(([name]) => !keys(name)))).toEqual(
        new Map([...before].filter(([name]) => !keys(name))),
      );
      for (const { name } of scene.bed.nodes) await regenerate(name);
      expect(await snapshotNodes(scene)).toEqual(after);
    },
  );
});
