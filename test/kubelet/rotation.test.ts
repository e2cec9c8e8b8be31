// Rotations of real nodes with real kubelets, reached through agent pods.
import { copyFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rollBackUpdate } from '../../src/workflows/messages.ts';
import { describeOnKubelet } from '../fixtures/kubelet-bed.ts';
import { readPublicJwks, rotate, snapshotNodes, stepRuns, waitForStatus } from '../integration/rotation-scene.ts';
import {
  expectNothingLeft,
  namespacesOf,
  openNodesScene,
  rotateWhile,
  withProbePod,
  type NodesScene,
} from './rotation-on-nodes.ts';

const MINUTE_MS = 60_000;
const because = (reason: string) => ({ args: [{ reason, by: 'test' }] as [{ reason: string; by: string }] });

describeOnKubelet('a rotation of real nodes', () => {
  let scene: NodesScene;
  let namespaces: readonly string[];

  beforeAll(async () => {
    scene = await openNodesScene(withProbePod);
    namespaces = await namespacesOf(scene.bed);
    await scene.startWorker();
    // What an editor keeps while a file is open. kubelet does not read it, and it is nobody's to remove.
    await writeFile(inManifests('node-1', '.kube-apiserver.yaml.swp'), 'an editor is here');
  });
  afterAll(() => scene?.close());

  function inManifests(node: string, file: string): string {
    return path.join(scene.bed.nodes.find(({ name }) => name === node)!.manifestsDirectory, file);
  }

  test(
    'through agent pods, rolled back in Trusting or refused before, leaves everything byte for byte as it was',
    { timeout: 8 * MINUTE_MS },
    async () => {
      const before = await snapshotNodes(scene);
      const jwksBefore = await readPublicJwks(scene);
      const audit = await rotateWhile(scene, 'demo', async (handle) => {
        await waitForStatus(handle, stepRuns('trust/node-1'));
        await handle.executeUpdate(rollBackUpdate, because('changed our mind'));
      });
      expect(audit).toMatchObject({ outcome: 'rolled-back', probes: { rejected: 0 } });
      expect(await snapshotNodes(scene)).toEqual(before);
      expect(await readPublicJwks(scene)).toEqual(jwksBefore);

      await copyFile(inManifests('node-3', 'kube-apiserver.yaml'), inManifests('node-3', 'kube-apiserver.yaml.bak'));
      const refused = await rotate(scene);
      await expect(refused.result()).rejects.toMatchObject({
        cause: { type: 'PREFLIGHT_REFUSED', message: expect.stringContaining('kube-apiserver.yaml.bak is a second') },
      });
      await rm(inManifests('node-3', 'kube-apiserver.yaml.bak'));
      await expectNothingLeft(scene, namespaces);
    },
  );
});
