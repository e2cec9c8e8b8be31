// Rotations of real nodes with real kubelets, over ssh and through agent pods, with what goes wrong on real nodes in between.
// Complete ones in the other layout of each: kubeadm-in-the-middle.long.ts.
// Most of the longest one's ten minutes is the wait until kubelet refreshes a token: the faults take place meanwhile.
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { GuardedProcess } from '../../src/demo/guarded-process.ts';
import { retryUpdate, rollBackUpdate } from '../../src/workflows/messages.ts';
import { describeOnKubelet } from '../fixtures/kubelet-bed.ts';
import { expectCleanEnd } from '../integration/clean-end.ts';
import { readPublicJwks, rotate, snapshotNodes, stepRuns } from '../integration/rotation-scene.ts';
import {
  because,
  betweenSteps,
  coreApi,
  expectNothingLeft,
  leadershipOf,
  namespacesOf,
  openNodesScene,
  regenerateByKubeadm,
  rotateWhile,
  tellFigures,
  waitForRetry,
  withProbePod,
  untilStatus,
  type NodesScene,
} from './rotation-on-nodes.ts';

const MINUTE_MS = 60_000;

describeOnKubelet('a rotation of real nodes', () => {
  let scene: NodesScene;
  let worker: GuardedProcess;
  let namespaces: readonly string[];

  beforeAll(async () => {
    scene = await openNodesScene(withProbePod);
    namespaces = await namespacesOf(scene.bed);
    worker = await scene.startWorker();
    // What an editor keeps while a file is open. kubelet does not read it, and it is nobody's to remove.
    await writeFile(inManifests('node-1', '.kube-apiserver.yaml.swp'), 'an editor is here');
  });
  afterAll(() => scene?.close());

  function inManifests(node: string, file: string): string {
    return path.join(scene.bed.nodes.find(({ name }) => name === node)!.manifestsDirectory, file);
  }
  const readManifest = (node: string) => readFile(inManifests(node, 'kube-apiserver.yaml'), 'utf8');
  const untilChanged = async (node: string, before: string) => {
    await vi.waitFor(async () => expect(await readManifest(node)).not.toBe(before), {
      timeout: 2 * MINUTE_MS,
      interval: 50,
    });
  };

  test(
    'over ssh, in place, rolled back in Trusting though kubeadm came in between, or refused before, leaves everything byte for byte as it was',
    { timeout: 12 * MINUTE_MS },
    async () => {
      const before = await snapshotNodes(scene);
      const jwksBefore = await readPublicJwks(scene);
      const audit = await rotateWhile(scene, 'over-ssh', async (handle) => {
        await betweenSteps(handle, 'trust/node-1', () => regenerateByKubeadm(scene.bed, 'node-1'));
        await untilStatus(handle, stepRuns('trust/node-2'));
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

  test(
    'through agent pods survives a node that reboots, a kubelet that stops, and agents and components that are killed',
    { timeout: 25 * MINUTE_MS },
    async () => {
      const { bed } = scene;
      const before = await snapshotNodes(scene);
      const { transitions } = await leadershipOf(bed);

      const audit = await rotateWhile(scene, 'demo', async (handle) => {
        // A node reboots while its API server is on its way to the new key.
        const first = await readManifest('node-1');
        await untilStatus(handle, stepRuns('trust/node-1'));
        await untilChanged('node-1', first);
        await bed.rebootNode('node-1');

        // Another tool's copy lies beside a manifest: kubelet would start that one.
        const copy = inManifests('node-2', 'kube-apiserver.yaml.tmp');
        await copyFile(inManifests('node-2', 'kube-apiserver.yaml'), copy);
        const held = await untilStatus(handle, ({ state }) => state === 'held');
        expect(held.held, held.held?.message).toMatchObject({ step: 'trust/node-2', code: 'MANIFEST_UNSUPPORTED' });
        expect(held.held?.message).toContain('kube-apiserver.yaml.tmp is a second manifest');
        await rm(copy);
        // The kubelet of the next node does not run: that is told, and waited for.
        await bed.stopKubelet('node-3');
        await handle.executeUpdate(retryUpdate, because('the copy is gone'));
        await untilStatus(handle, stepRuns('trust/node-3'));
        await waitForRetry(handle, /node-3 cannot be reached/);
        await bed.startKubelet('node-3');

        // The agent that watches over a change is evicted in the middle of it.
        const second = await readManifest('node-1');
        await untilStatus(handle, stepRuns('sign/node-1'));
        await untilChanged('node-1', second);
        await evictAgent('node-1');

        // The leader among the controller managers dies.
        await untilStatus(handle, stepRuns('switch-controller-manager/node-1'));
        const leader = await leadershipOf(bed);
        await bed.exec(leader.node, ['busybox', 'killall', '-KILL', 'kube-controller-manager']);

        // The worker dies in the middle of a change.
        const third = await readManifest('node-2');
        await untilStatus(handle, stepRuns('sign/node-2'));
        await untilChanged('node-2', third);
        worker.signal('SIGKILL');
        await worker.exited;
        worker = await scene.startWorker();

        // The API server through which the others are reached ends, while a third one restarts.
        const fourth = await readManifest('node-3');
        await untilStatus(handle, stepRuns('sign/node-3'));
        await untilChanged('node-3', fourth);
        await bed.killApiServer('node-1');
      });

      await expectCleanEnd(scene, audit, before);
      const proofOf = (step: string) => audit.steps.find(({ id }) => id === step)?.proof;
      expect(proofOf('verify-with-pod')).toContain(
        `got a token of ${audit.keys[1]!.kid}, which a relying party accepts`,
      );
      expect(proofOf('prove-pod-refresh')).toContain(`holds a token of ${audit.keys[1]!.kid}`);
      // Once when it was killed, and where its node is switched.
      expect((await leadershipOf(bed)).transitions).toBeGreaterThan(transitions);
      await expectNothingLeft(scene, namespaces);
      tellFigures('through agent pods, with faults', audit);
    },
  );

  async function evictAgent(node: string): Promise<void> {
    const core = coreApi(scene.bed);
    const { items } = await core.listNamespacedPod({ namespace: 'keyturn-agents' });
    const name = items.find(({ spec }) => spec?.nodeName === node)!.metadata!.name!;
    const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: 'keyturn-agents' } };
    await core.createNamespacedPodEviction({ namespace: 'keyturn-agents', name, body });
  }
});
