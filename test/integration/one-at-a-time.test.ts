// One change of a cluster at a time, however it was started; what a run that is gone left is taken up with the same new key.
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, ScheduleOverlapPolicy } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { rotateSigningKey } from '../../src/workflows/index.ts';
import { statusQuery } from '../../src/workflows/messages.ts';
import { openScene, readPublicJwks, rotate, stepRuns, waitForStatus, type Scene } from './rotation-scene.ts';

let scene: Scene;
beforeAll(async () => {
  // Who holds the cluster does not depend on how many nodes it has.
  scene = await openScene({ nodes: 1, policies: { allowSingleApiServer: true } });
  await scene.startWorker();
});
afterAll(async () => scene?.close());

test('of three that the CLI, the UI and a schedule start at once, one rotates and the others end at once with who holds the cluster', async () => {
  const handles = await Promise.all([rotate(scene), startAsTheUiDoes(), startAsAScheduleDoes()]);
  const audits = await Promise.all(handles.map((handle) => handle.result()));

  const outcomes = audits.map(({ outcome }) => outcome).toSorted();
  expect(outcomes).toEqual(['completed', 'not-started', 'not-started']);
  const winner = audits.find(({ outcome }) => outcome === 'completed');
  for (const { notes, outcome } of audits) {
    if (outcome === 'not-started') expect(notes.join()).toContain(winner?.workflowId);
  }
});

test('another Temporal namespace waits its turn, and takes up what a terminated run left', async () => {
  const second = await namespace('second');
  await scene.startWorker('second');
  const first = await rotate(scene);
  await waitForStatus(first, stepRuns('trust/node-1'));

  const refused = await start(second).then((handle) => handle.result());
  expect(refused.outcome).toBe('not-started');
  expect(refused.notes.join()).toContain('default');

  const { keys } = await first.query(statusQuery);
  await first.terminate('the operator pulled the plug');
  const audit = await start(second).then((handle) => handle.result());
  expect(audit).toMatchObject({ outcome: 'completed', takenUp: true });
  expect(audit.keys.map(({ kid }) => kid)).toEqual(keys.map(({ kid }) => kid));
  expect(audit.probes?.rejected).toBe(0);
});

test('a namespace that was deleted in the middle of a rotation holds nothing', async () => {
  const third = await namespace('third');
  const worker = await scene.startWorker('third');
  const lost = await start(third);
  await waitForStatus(lost, stepRuns('sign/node-1'));
  const { keys } = await lost.query(statusQuery);
  await worker.stop(1000);
  await scene.client.connection.operatorService.deleteNamespace({ namespace: 'third' });

  const audit = await (await rotate(scene)).result();

  expect(audit).toMatchObject({ outcome: 'completed', takenUp: true });
  expect(audit.keys.map(({ kid }) => kid)).toEqual(keys.map(({ kid }) => kid));
  expect((await readPublicJwks(scene)).kids).toEqual([audit.keys[1]?.kid]);
});

/** With an ID of its own, and an input box that was left empty. */
function startAsTheUiDoes() {
  return scene.client.workflow.start<typeof rotateSigningKey>('rotateSigningKey', {
    workflowId: 'started-from-the-ui',
    taskQueue: 'keyturn',
    args: [null],
  });
}

/** A real schedule, triggered now; Temporal gives the run its ID. */
async function startAsAScheduleDoes() {
  const schedule = await scene.client.schedule.create({
    scheduleId: 'quarterly',
    spec: {},
    action: {
      type: 'startWorkflow',
      workflowType: 'rotateSigningKey',
      workflowId: 'quarterly',
      taskQueue: 'keyturn',
      args: [{ cluster: scene.cluster }],
    },
  });
  await schedule.trigger(ScheduleOverlapPolicy.BUFFER_ONE);
  for (const giveUpAt = Date.now() + 30_000; Date.now() < giveUpAt; await sleep(50)) {
    const started = (await schedule.describe()).info.recentActions[0]?.action.workflow;
    if (started !== undefined) {
      return scene.client.workflow.getHandle<typeof rotateSigningKey>(started.workflowId, started.firstExecutionRunId);
    }
  }
  throw new Error('the schedule started nothing');
}

/** A client for a namespace that is made for the test. */
async function namespace(name: string): Promise<Client> {
  const { connection } = scene.client;
  await connection.workflowService.registerNamespace({
    namespace: name,
    workflowExecutionRetentionPeriod: { seconds: 86_400 } as never,
  });
  const client = new Client({ connection, namespace: name });
  // A new namespace is known to every part of the server only after a while.
  for (let attempt = 0; attempt < 60; attempt += 1) {
    const known = await connection.workflowService
      .describeTaskQueue({ namespace: name, taskQueue: { name: 'keyturn' } })
      .then(
        () => true,
        () => false,
      );
    if (known) break;
    await sleep(500);
  }
  return client;
}

function start(client: Client) {
  return client.workflow.start<typeof rotateSigningKey>('rotateSigningKey', {
    workflowId: 'rotate-signing-key/demo',
    taskQueue: 'keyturn',
    args: [{ reason: 'test' }],
  });
}
