// Whether a holder's run has ended, asked of a real Temporal dev server.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import type { WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Holder } from '../../../src/cluster-lock/port.ts';
import { createHasEnded, currentClusterId, startedBy } from '../../../src/cluster-lock/temporal-holder.ts';
import { catalog } from '../../../src/demo/components/catalog.ts';
import { getComponent } from '../../../src/demo/components/get-component.ts';
import { startTemporalServer } from '../../../src/demo/temporal-server.ts';
import type { TemporalServer } from '../../../src/demo/temporal-server.ts';

let directory: string;
let server: TemporalServer;
let connection: Connection;
let client: Client;
let clusterId: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyturn-temporal-'));
  server = await startTemporalServer({
    program: await getComponent(catalog.temporal),
    directory,
    databasePath: join(directory, 'temporal.sqlite'),
  });
  connection = await Connection.connect({ address: server.address });
  client = new Client({ connection, identity: 'alice@laptop' });
  clusterId = await currentClusterId(connection);
});
afterAll(async () => {
  await connection.close();
  await server.stop();
  await rm(directory, { recursive: true });
});

/** A run that no worker ever takes: it stays open until someone ends it. */
async function start(workflowId: string, options: object = {}): Promise<WorkflowHandleWithFirstExecutionRunId> {
  return client.workflow.start('none', { taskQueue: 'nobody', workflowId, ...options });
}
function holderOf(workflowId: string, runId: string, overrides: Partial<Holder> = {}): Holder {
  return { temporalClusterId: clusterId, namespace: 'default', workflowId, runId, ...overrides };
}
const hasEnded = (holder: Holder): Promise<boolean> => createHasEnded(connection, clusterId, { settleMs: 0 })(holder);

/** `temporal.api.enums.v1.CommandType` */
const COMPLETE_WORKFLOW_EXECUTION = 4;
const CONTINUE_AS_NEW_WORKFLOW_EXECUTION = 10;

/** Answers the run's workflow task as a worker would, with one command. */
async function completeTask(taskQueue: string, command: object): Promise<void> {
  await connection.withDeadline(Date.now() + 10_000, async () => {
    const { workflowService } = connection;
    const { taskToken } = await workflowService.pollWorkflowTaskQueue({
      namespace: 'default',
      taskQueue: { name: taskQueue },
    });
    await workflowService.respondWorkflowTaskCompleted({ namespace: 'default', taskToken, commands: [command] });
  });
}

describe('hasEnded', () => {
  test('not while the run is open', async () => {
    const { firstExecutionRunId } = await start('open');
    expect(await hasEnded(holderOf('open', firstExecutionRunId))).toBe(false);
  });

  test.each([
    ['terminated', (run: WorkflowHandleWithFirstExecutionRunId) => run.terminate('test')],
    [
      'completed',
      () =>
        completeTask('queue-completed', {
          commandType: COMPLETE_WORKFLOW_EXECUTION,
          completeWorkflowExecutionCommandAttributes: {},
        }),
    ],
  ])('once it is %s, also where a later run of the same id is open', async (how, end) => {
    const run = await start(how, { taskQueue: `queue-${how}` });
    const holder = holderOf(how, run.firstExecutionRunId);
    expect(await hasEnded(holder)).toBe(false);
    await end(run);
    expect(await hasEnded(holder)).toBe(true);
    const later = await start(how);
    expect(await hasEnded(holder)).toBe(true);
    expect(await hasEnded(holderOf(how, later.firstExecutionRunId))).toBe(false);
  });

  test('once it has timed out', async () => {
    const { firstExecutionRunId } = await start('timed-out', { workflowRunTimeout: 1000 });
    await sleep(2500);
    expect(await hasEnded(holderOf('timed-out', firstExecutionRunId))).toBe(true);
  });

  test('not where it was continued as new and that run is open; but when that has ended', async () => {
    const { firstExecutionRunId } = await start('continued', { taskQueue: 'queue-continued' });
    await completeTask('queue-continued', {
      commandType: CONTINUE_AS_NEW_WORKFLOW_EXECUTION,
      continueAsNewWorkflowExecutionCommandAttributes: {
        workflowType: { name: 'none' },
        taskQueue: { name: 'nobody' },
      },
    });
    const holder = holderOf('continued', firstExecutionRunId);
    expect((await client.workflow.getHandle('continued', firstExecutionRunId).describe()).status.name).toBe(
      'CONTINUED_AS_NEW',
    );
    expect(await hasEnded(holder)).toBe(false);
    await client.workflow.getHandle('continued').terminate();
    expect(await hasEnded(holder)).toBe(true);
  });

  test.each([
    ['run', { runId: '00000000-0000-4000-8000-000000000000' }, true],
    ['workflow', { workflowId: 'never-started' }, true],
    ['namespace', { namespace: 'never-made' }, true],
    ['Temporal service', { temporalClusterId: 'elsewhere' }, false],
  ])('of an unknown %s', async (what, overrides, ended) => {
    const { firstExecutionRunId } = await start(`unknown-${what}`);
    expect(await hasEnded(holderOf(`unknown-${what}`, firstExecutionRunId, overrides))).toBe(ended);
  });

  test('waits until activities of the ended run must have heard of it', async () => {
    const run = await start('settling');
    await run.terminate();
    const terminatedAt = Date.now();
    const holder = holderOf('settling', run.firstExecutionRunId);
    expect(await createHasEnded(connection, clusterId, { settleMs: 1500 })(holder)).toBe(true);
    expect(Date.now() - terminatedAt).toBeGreaterThan(1200);
    const again = Date.now();
    expect(await createHasEnded(connection, clusterId, { settleMs: 1500 })(holder)).toBe(true);
    expect(Date.now() - again).toBeLessThan(1000);
  });
});

test('startedBy tells the identity of the client', async () => {
  const run = await start('by-alice');
  expect(await startedBy(client, 'by-alice', run.firstExecutionRunId)).toBe('alice@laptop');
});

test('a Temporal service that is away: retryable, not ended', async () => {
  const { firstExecutionRunId } = await start('left');
  const away = await Connection.connect({ address: server.address });
  await server.stop();
  const asking = createHasEnded(away, clusterId)(holderOf('left', firstExecutionRunId));
  await expect(asking).rejects.toMatchObject({ code: 'TEMPORAL_UNREACHABLE', retryable: true });
  await away.close();
  await server.start();
  const back = await Connection.connect({ address: server.address });
  expect(await currentClusterId(back)).toBe(clusterId);
  await back.close();
});
