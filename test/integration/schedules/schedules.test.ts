// Schedules on a real Temporal server: as keyturn.yaml says, and never losing a run.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { catalog } from '../../../src/demo/components/catalog.ts';
import { getComponent } from '../../../src/demo/components/get-component.ts';
import { startTemporalServer, type TemporalServer } from '../../../src/demo/temporal-server.ts';
import { applySchedules, refuseForeign } from '../../../src/schedules/apply.ts';
import { desiredSchedules } from '../../../src/schedules/definition.ts';
import { readSchedule, type ScheduleState } from '../../../src/schedules/schedule-state.ts';

/** No worker serves it: runs stay open until the test ends them. */
const TASK_QUEUE = 'nobody';
const main = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));

let directory: string;
let server: TemporalServer;
let client: Client;
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'keyturn-schedules-'));
  server = await startTemporalServer({ program: await getComponent(catalog.temporal), directory });
  client = new Client({ connection: await Connection.connect({ address: server.address }) });
});
afterAll(async () => {
  await client?.connection.close();
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});
afterEach(async () => {
  for await (const { scheduleId } of client.schedule.list()) {
    await client.schedule
      .getHandle(scheduleId)
      .delete()
      .catch(() => undefined);
  }
  for await (const { workflowId, runId } of client.workflow.list({ query: `ExecutionStatus = 'Running'` })) {
    await client.workflow
      .getHandle(workflowId, runId)
      .terminate()
      .catch(() => undefined);
  }
});

function yaml(schedules: string): string {
  return `
taskQueue: ${TASK_QUEUE}
schedules: ${schedules}
clusters:
  - name: prod
    platform: { type: static-pod, kubeconfig: ./missing.kubeconfig, nodes: [{ name: node-1 }] }
    issuer: https://issuer.example/prod
    publisher: { type: azure-blob, container: https://acct.blob.core.windows.net/oidc }
    keyStore: { type: encrypted-file, directory: ./keys, wrappingKey: { env: WRAPPING_KEY } }
`;
}

async function apply(schedules: string, dryRun = false) {
  const desired = desiredSchedules(parseConfig(yaml(schedules), 'keyturn.yaml'));
  const actions = await applySchedules({ client, taskQueue: TASK_QUEUE, desired, dryRun });
  return actions.map(({ type, id }) => `${type} ${id}`);
}

async function state(name: string): Promise<ScheduleState> {
  const found = await readSchedule(client, TASK_QUEUE, `keyturn/${name}`);
  if (found === undefined) throw new Error(`no schedule ${name}`);
  return found;
}

async function until(name: string, isSo: (state: ScheduleState) => boolean): Promise<ScheduleState> {
  for (const deadline = Date.now() + 30_000; ; await sleep(100)) {
    const now = await state(name);
    if (isSo(now)) return now;
    if (Date.now() > deadline) throw new Error(`not so after 30 s: ${JSON.stringify(now)}`);
  }
}

/** One run under way and another that waits for it. @returns the first one's run ID */
async function startAndBuffer(name: string): Promise<{ readonly workflowId: string; readonly runId: string }> {
  const handle = client.schedule.getHandle(`keyturn/${name}`);
  await handle.trigger('BUFFER_ONE');
  await until(name, ({ running }) => running === 1);
  // Runs are named by the second in which they were due.
  await sleep(1100);
  await handle.trigger('BUFFER_ONE');
  await until(name, ({ buffered }) => buffered === 1);
  const { info } = await handle.describe();
  const [run] = info.runningActions;
  return { workflowId: run!.workflow.workflowId, runId: run!.workflow.firstExecutionRunId };
}

async function statusOf({ workflowId, runId }: { workflowId: string; runId: string }) {
  return (await client.workflow.getHandle(workflowId, runId).describe()).status.name;
}

describe('apply', () => {
  test('creates what the file says, and changes nothing the second time', async () => {
    const file = '[{ name: a, jitter: 1h, gates: [signing], reason: policy 7 }, { name: b, paused: true }]';
    expect(await apply(file)).toEqual(['create keyturn/a', 'create keyturn/b']);
    expect(await apply(file)).toEqual([]);
    expect(await state('b')).toMatchObject({ paused: true, note: 'paused: true in keyturn.yaml' });

    const { raw: _, ...described } = await client.schedule.getHandle('keyturn/a').describe();
    expect(described).toMatchObject({
      memo: { managedBy: 'keyturn', taskQueue: TASK_QUEUE },
      policies: { overlap: 'BUFFER_ONE', catchupWindow: 259_200_000, pauseOnFailure: false },
      spec: { jitter: 3_600_000, calendars: [{ comment: expect.stringContaining('second wednesday') as string }] },
      state: { paused: false },
      action: {
        workflowType: 'rotateSigningKey',
        taskQueue: TASK_QUEUE,
        args: [{ cluster: 'prod', reason: 'policy 7', requestedBy: 'schedule keyturn/a', gates: ['signing'] }],
        staticSummary: 'Rotate the signing key of prod',
      },
    });
    for (const time of described.info.nextActionTimes) {
      expect([1, 4, 7, 10]).toContain(time.getUTCMonth() + 1);
      expect(time.getUTCDay()).toBe(3);
      expect(time.getUTCHours()).toBe(2);
      expect(time.getUTCDate()).toBeGreaterThanOrEqual(8);
      expect(time.getUTCDate()).toBeLessThanOrEqual(14);
    }
  });

  test('a dry run changes nothing', async () => {
    expect(await apply('[{ name: a }]', true)).toEqual(['create keyturn/a']);
    expect(await readSchedule(client, TASK_QUEUE, 'keyturn/a')).toBeUndefined();
  });

  test('two workers that start at once come to the same', async () => {
    await Promise.all([apply('[{ name: a }]'), apply('[{ name: a }]')]);
    expect(await apply('[{ name: a }]')).toEqual([]);
  });

  test('a change is made in place: the run under way goes on, the buffered one starts after it, with the new input', async () => {
    await apply('[{ name: a }]');
    const first = await startAndBuffer('a');

    expect(await apply('[{ name: a, calendar: { on: 10, at: "06:00" }, reason: changed }]')).toEqual([
      'update keyturn/a',
    ]);
    expect(await apply('[{ name: a, calendar: { on: 10, at: "06:00" }, reason: changed }]')).toEqual([]);
    expect(await statusOf(first)).toBe('RUNNING');
    expect(await state('a')).toMatchObject({ running: 1, buffered: 1, runsTaken: 1 });
    expect(new Date((await state('a')).nextRunsMs[0]!).toISOString()).toMatch(/-10T06:00:00/);

    await client.workflow.getHandle(first.workflowId, first.runId).terminate();
    const after = await until('a', ({ runsTaken }) => runsTaken === 2);
    expect(after).toMatchObject({ running: 1, buffered: 0 });
    const second = await client.workflow.getHandle(after.runs.at(-1)!.workflowId).fetchHistory();
    const input = second.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0]?.data;
    expect(JSON.parse(Buffer.from(input!).toString())).toMatchObject({ reason: 'changed' });
  });

  test('BUFFER_ONE keeps one run waiting, never more', async () => {
    await apply('[{ name: a }]');
    await startAndBuffer('a');
    await client.schedule.getHandle('keyturn/a').trigger('BUFFER_ONE');
    await sleep(1000);
    expect(await state('a')).toMatchObject({ running: 1, buffered: 1, runsTaken: 1 });
  });

  test('an operator pauses, and apply leaves it so unless the file says otherwise', async () => {
    await apply('[{ name: a }]');
    await client.schedule.getHandle('keyturn/a').pause('freeze (jo@laptop)');
    expect(await apply('[{ name: a }]')).toEqual([]);
    expect(await apply('[{ name: a, reason: changed }]')).toEqual(['update keyturn/a']);
    expect(await state('a')).toMatchObject({ paused: true, note: 'freeze (jo@laptop)' });
    await client.schedule.getHandle('keyturn/a').trigger('BUFFER_ONE');
    expect(await until('a', ({ running }) => running === 1)).toMatchObject({ paused: true });
    expect(await apply('[{ name: a, reason: changed, paused: false }]')).toEqual(['unpause keyturn/a']);
    expect(await state('a')).toMatchObject({ paused: false });
  });

  test('the file pauses, and resumes when it no longer says so', async () => {
    await apply('[{ name: a }]');
    expect(await apply('[{ name: a, paused: true }]')).toEqual(['pause keyturn/a']);
    expect(await apply('[{ name: a, paused: true }]')).toEqual([]);
    expect(await apply('[{ name: a }]')).toEqual(['unpause keyturn/a']);
    expect(await apply('[{ name: a }]')).toEqual([]);
  });

  test('what the file no longer has is deleted; its run goes on', async () => {
    await apply('[{ name: a }, { name: b }]');
    await client.schedule.getHandle('keyturn/a').trigger('BUFFER_ONE');
    const { runs } = await until('a', ({ running }) => running === 1);
    expect(await deleteWhenListed('[{ name: b }]')).toEqual(['delete keyturn/a']);
    expect(await readSchedule(client, TASK_QUEUE, 'keyturn/a')).toBeUndefined();
    expect((await client.workflow.getHandle(runs[0]!.workflowId).describe()).status.name).toBe('RUNNING');
    expect(await apply('[{ name: b }]')).toEqual([]);
  });

  test('with a run buffered it is retired first, and deleted once that run has started', async () => {
    await apply('[{ name: a }]');
    const first = await startAndBuffer('a');
    expect(await deleteWhenListed('[]')).toEqual(['retire keyturn/a']);
    expect(await state('a')).toMatchObject({ running: 1, buffered: 1, nextRunsMs: [] });
    expect(await apply('[]')).toEqual([]);
    await client.workflow.getHandle(first.workflowId, first.runId).terminate();
    await until('a', ({ runsTaken }) => runsTaken === 2);
    expect(await apply('[]')).toEqual(['delete keyturn/a']);
  });

  test('what was edited by hand is put back', async () => {
    await apply('[{ name: a }]');
    await client.schedule.getHandle('keyturn/a').update((previous) => ({
      ...previous,
      action: { ...previous.action, args: previous.action.args ?? [] },
      spec: { intervals: [{ every: '1 day' }] },
      policies: { ...previous.policies, overlap: 'SKIP' },
    }));
    expect(await apply('[{ name: a }]')).toEqual(['update keyturn/a']);
    expect(await apply('[{ name: a }]')).toEqual([]);
  });

  test('foreign schedules are not touched, whatever their ID', async () => {
    const foreign = (scheduleId: string, memo?: Record<string, unknown>) =>
      client.schedule.create({
        scheduleId,
        spec: { calendars: [{ dayOfMonth: 1 }] },
        action: { type: 'startWorkflow', workflowType: 'other', taskQueue: 'other', workflowId: 'other' },
        ...(memo === undefined ? {} : { memo }),
      });
    await foreign('back-up');
    await foreign('keyturn/by-hand');
    await foreign('keyturn/other-workers', { managedBy: 'keyturn', taskQueue: 'eu' });
    const before = await Promise.all(['back-up', 'keyturn/by-hand', 'keyturn/other-workers'].map(describeForeign));
    await listed('keyturn/other-workers');

    expect(await apply('[{ name: by-hand, paused: true }, { name: other-workers }, { name: mine }]')).toEqual([
      'refuse keyturn/by-hand',
      'refuse keyturn/other-workers',
      'create keyturn/mine',
    ]);
    expect(await deleteWhenListed('[]')).toEqual(['delete keyturn/mine']);
    expect(await Promise.all(['back-up', 'keyturn/by-hand', 'keyturn/other-workers'].map(describeForeign))).toEqual(
      before,
    );
    expect(() => refuseForeign([{ type: 'refuse', id: 'keyturn/by-hand', owner: 'not-keyturn' }])).toThrow(
      expect.objectContaining({ code: 'SCHEDULE_FOREIGN', subject: 'keyturn/by-hand' }) as Error,
    );
  });
});

async function describeForeign(id: string) {
  const { raw } = await client.schedule.getHandle(id).describe();
  return { schedule: raw.schedule, token: raw.conflictToken };
}

/** The list of schedules lags behind. */
async function listed(id: string): Promise<void> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await sleep(100)) {
    for await (const { scheduleId } of client.schedule.list()) if (scheduleId === id) return;
  }
  throw new Error(`${id} was not listed in 30 s`);
}

async function deleteWhenListed(schedules: string): Promise<readonly string[]> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await sleep(100)) {
    const actions = await apply(schedules);
    if (actions.length > 0) return actions;
  }
  throw new Error('nothing to delete was listed in 30 s');
}

interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

describe('keyturn schedule', () => {
  let configFile: string;
  async function keyturn(...args: string[]): Promise<Answer> {
    const environment = {
      PATH: process.env['PATH'],
      TEMPORAL_ADDRESS: server.address,
      TEMPORAL_NAMESPACE: 'default',
      TEMPORAL_CONFIG_FILE: path.join(directory, 'none.toml'),
      KEYTURN_CONFIG: configFile,
    };
    return new Promise((resolve) => {
      execFile(process.execPath, [main, ...args], { env: environment }, (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
      });
    });
  }
  async function configure(schedules: string): Promise<void> {
    configFile = path.join(directory, 'keyturn.yaml');
    await writeFile(configFile, yaml(schedules));
  }

  test('apply tells what it would do, does it, and says what is unchanged', async () => {
    await configure('[{ name: a }, { name: b, paused: true }]');
    const calendar = 'on the second wednesday of january, april, july and october at 02:00 UTC';
    expect(await keyturn('schedule', 'apply', '--dry-run')).toMatchObject({
      code: 0,
      stdout: `would be created keyturn/a: ${calendar}\nwould be created keyturn/b: ${calendar}, paused\n`,
    });
    expect(JSON.parse((await keyturn('--json', 'schedule', 'apply')).stdout)).toEqual([
      { type: 'create', id: 'keyturn/a' },
      { type: 'create', id: 'keyturn/b' },
    ]);
    expect((await keyturn('schedule', 'apply')).stdout).toBe('unchanged keyturn/a\nunchanged keyturn/b\n');
    await configure('[{ name: a, jitter: 1h }, { name: b, paused: true }]');
    expect((await keyturn('schedule', 'apply')).stdout).toBe('changed keyturn/a: jitterMs\nunchanged keyturn/b\n');
  });

  test('apply fails where an ID is taken, after it did the rest', async () => {
    await client.schedule.create({
      scheduleId: 'keyturn/a',
      spec: { calendars: [] },
      action: { type: 'startWorkflow', workflowType: 'other', taskQueue: 'other', workflowId: 'other' },
    });
    await configure('[{ name: a }, { name: b }]');
    const { code, stderr } = await keyturn('schedule', 'apply');
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('[SCHEDULE_FOREIGN]') as string });
    expect(await state('b')).toMatchObject({ owner: 'ours' });
    expect((await keyturn('schedule', 'trigger', 'a')).stderr).toContain('[SCHEDULE_FOREIGN]');
  });

  test('trigger starts a run, and a second one waits for it; list shows both', async () => {
    await configure('[{ name: a }, { name: later }]');
    await keyturn('schedule', 'apply');
    await configure('[{ name: a }, { name: later }, { name: new }]');
    const started = JSON.parse((await keyturn('--json', 'schedule', 'trigger', 'a')).stdout) as Record<string, string>;
    expect(started).toMatchObject({
      outcome: 'started',
      workflowId: expect.stringMatching(/^keyturn\/a-20/) as string,
    });
    const { stdout } = await keyturn('schedule', 'trigger', 'a');
    expect(stdout).toBe(`${started['workflowId']} is under way: another run starts when it has ended.\n`);

    const list = (await keyturn('schedule', 'list')).stdout;
    expect(list).toContain(`last run: ${started['workflowId']}, running`);
    expect(list).toContain('under way: 1, waiting for their turn: 1');
    expect(list).toMatch(/keyturn\/later {2}active\n {2}cluster: prod\n {2}acts: on the second/);
    expect(list).toContain('keyturn/new  not in Temporal yet');
  });

  test('pause and resume need a reason, which stands in the note with who and when', async () => {
    await configure('[{ name: a }]');
    await keyturn('schedule', 'apply');
    expect((await keyturn('schedule', 'pause')).stderr).toContain('--reason');
    expect(await keyturn('schedule', 'pause', '--reason', 'freeze')).toMatchObject({
      code: 0,
      stdout: 'keyturn/a is paused until keyturn schedule resume.\n',
    });
    expect(await state('a')).toMatchObject({
      paused: true,
      note: expect.stringMatching(/^freeze \(.+@.+, 20/) as string,
    });
    expect((await keyturn('schedule', 'apply')).stdout).toBe('unchanged keyturn/a\n');
    expect((await keyturn('schedule', 'list')).stdout).toContain('keyturn/a  PAUSED: freeze');
    expect((await keyturn('schedule', 'resume', 'a', '--reason', 'over')).stdout).toContain('runs again; next run 20');
    expect(await state('a')).toMatchObject({ paused: false });
  });

  test.for([
    ['pause', 'false'],
    ['resume', 'true'],
  ])('%s is refused where the file says paused: %s', async ([decision, paused]) => {
    await configure(`[{ name: a, paused: ${paused} }]`);
    await keyturn('schedule', 'apply');
    const { code, stderr } = await keyturn('schedule', decision!, '--reason', 'x');
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('[DECISION_REFUSED]') as string });
  });

  test('a name that does not exist is told with those that do', async () => {
    await configure('[{ name: a }, { name: b }]');
    const { code, stderr } = await keyturn('schedule', 'trigger', 'c');
    expect(code).toBe(1);
    expect(stderr).toContain('keyturn/a, keyturn/b');
    expect((await keyturn('schedule', 'trigger')).stderr).toContain('No schedule was named');
  });
});
