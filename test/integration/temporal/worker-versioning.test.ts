// A rotation that outlives the version of Keyturn which started it, on a real server.
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { bundleWorkflowCode, DefaultLogger, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { currentVersionCommand, deploymentOf } from '../../../src/worker/versioning.ts';
import { statusQuery } from '../../../src/workflows/messages.ts';
import {
  eventually,
  quickWorld,
  startDevServer,
  startRotation,
  startWorker,
  type DevServer,
} from './simulated-rotation.ts';

let dev: DevServer;
beforeAll(async () => {
  dev = await startDevServer();
});
afterAll(() => dev.stop());

function bundle(change?: string) {
  return bundleWorkflowCode({
    workflowsPath: path.join(import.meta.dirname, '../../../src/workflows/index.ts'),
    logger: new DefaultLogger('ERROR'),
    ...(change === undefined ? {} : { workflowInterceptorModules: [path.join(import.meta.dirname, change)] }),
  });
}

async function versionOf(buildId: string) {
  const deployment = await deploymentOf({ versioning: { deploymentName: 'keyturn', buildId } });
  if (deployment === null) throw new Error('versioning is on');
  return deployment;
}

/** What `temporal worker deployment set-current-version` does. The server knows a version once its worker has asked for work. */
async function makeCurrent(buildId: string): Promise<void> {
  const request = { namespace: 'default', deploymentName: 'keyturn', buildId, identity: 'test' };
  await eventually(async () => dev.client.workflowService.setWorkerDeploymentCurrentVersion(request));
}

describe('worker versioning', () => {
  it('is off where nothing is configured: any worker takes any task', async () => {
    expect(await deploymentOf({ versioning: undefined })).toBeNull();
  });

  it('a rotation in Draining goes on with the next version, whose worker takes over', async () => {
    const world = quickWorld(10_000);
    const looked: string[] = [];
    const activities = { ...world.activities(), lookTwice: async (before: string) => void looked.push(before) };
    const taskQueue = randomUUID();
    const [first, next] = await Promise.all([bundle(), bundle('next-version.ts')]);

    const old = await startWorker(dev, {
      taskQueue,
      activities,
      workflowBundle: first,
      workerDeploymentOptions: await versionOf('0.1.0-aaaa'),
    });
    await makeCurrent('0.1.0-aaaa');
    const handle = await startRotation(dev, taskQueue, { cluster: 'prod' });
    await eventually(async () => {
      const { state, phase } = await handle.query(statusQuery);
      return state === 'waiting' && phase === 'Draining';
    });
    await old.stop();

    const successor = await startWorker(dev, {
      taskQueue,
      activities,
      workflowBundle: next,
      workerDeploymentOptions: await versionOf('0.2.0-bbbb'),
    });
    try {
      await makeCurrent('0.2.0-bbbb');
      expect(await handle.result()).toMatchObject({ outcome: 'completed', holds: [] });
      // What was done before the change stays as it was; what came after has it.
      expect(looked).toEqual(['pruneKey']);
      const { raw } = await handle.describe();
      expect(raw.workflowExecutionInfo?.versioningInfo).toMatchObject({
        behavior: 2, // AUTO_UPGRADE
        deploymentVersion: { deploymentName: 'keyturn', buildId: '0.2.0-bbbb' },
      });
    } finally {
      await successor.stop();
    }

    // The same change without `patched` would have stopped the rotation where it was.
    const careless = await bundle('careless-version.ts');
    const history = await handle.fetchHistory();
    await expect(Worker.runReplayHistory({ workflowBundle: next }, history)).resolves.toBeUndefined();
    await expect(Worker.runReplayHistory({ workflowBundle: careless }, history)).rejects.toThrow(/\[TMPRL1100\]/);
  });

  it('has its command', async () => {
    expect(currentVersionCommand(await versionOf('0.2.0-bbbb'), 'prod')).toBe(
      'temporal worker deployment set-current-version --namespace prod --deployment-name keyturn --build-id 0.2.0-bbbb',
    );
  });
});
