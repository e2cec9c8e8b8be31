// Schedules, key ages, metrics and doctor around a real worker and a real control plane.
import { execFile } from 'node:child_process';
import { appendFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KubeClient } from '../../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../../src/api-servers/kube-config.ts';
import { LeaseLock } from '../../../src/cluster-lock/lease.ts';
import { currentClusterId } from '../../../src/cluster-lock/temporal-holder.ts';
import { reservePort, type ReservedPort } from '../../../src/demo/free-port.ts';
import type { AuditRecord } from '../../../src/rotation/audit.ts';
import type { RotationRecord } from '../../../src/rotation/record.ts';
import { openScene, type Scene } from '../rotation-scene.ts';

const main = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
const DAY_MS = 86_400_000;

let scene: Scene;
let lock: LeaseLock;
let client: KubeClient;
let metrics: ReservedPort;
beforeAll(async () => {
  scene = await openScene({ nodes: 1, policies: { allowSingleApiServer: true, maxKeyAge: '30d' } });
  client = new KubeClient(await loadKubeConfig(scene.controlPlane.keyturnKubeconfigPath));
  lock = new LeaseLock({ client, cluster: scene.cluster });
  metrics = await reservePort();
});
afterAll(async () => {
  await scene?.close();
  await metrics?.release();
});

interface Finding {
  readonly level: 'ok' | 'warn' | 'fail';
  readonly what: string;
  readonly found: string;
}

async function keyturn(...args: string[]): Promise<{ readonly code: number; readonly stdout: string }> {
  return new Promise((resolve) => {
    const env = { ...process.env, ...scene.processEnvironment };
    execFile(process.execPath, [main, ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout: stdout === '' ? stderr : stdout });
    });
  });
}

/** What doctor does not find to be well, and its exit code. */
async function doctor(): Promise<{
  readonly code: number;
  readonly notOk: readonly string[];
  readonly all: readonly Finding[];
}> {
  const { code, stdout } = await keyturn('--json', 'doctor');
  const all = JSON.parse(stdout) as Finding[];
  const notOk = all.filter(({ level }) => level !== 'ok').map(({ level, what, found }) => `${level} ${what}: ${found}`);
  return { code, notOk, all };
}

async function scrape(name: string): Promise<string | undefined> {
  const text = await (await fetch(`http://127.0.0.1:${metrics.port}/metrics`)).text();
  return new RegExp(`^${name}\\{cluster="demo"\\} (\\S+)$`, 'm').exec(text)?.[1];
}

/** A rotation that ended so long ago, as the Lease remembers it. */
async function recordRotation(daysAgo: number): Promise<void> {
  const at = new Date(Date.now() - daysAgo * DAY_MS).toISOString();
  const record: RotationRecord = {
    rotationId: `r-${daysAgo}`,
    keyVersion: 2,
    startedAt: at,
    former: { kid: 'former', alg: 'RS256', publicPem: 'PEM' },
    next: { kid: 'next', alg: 'RS256' },
    layouts: [],
    milestones: { verifiedAt: at },
    ended: { at, outcome: 'completed' },
  };
  const holder = { temporalClusterId: 'test', namespace: 'default', workflowId: 'test', runId: 'test' };
  await lock.acquire(holder, () => Promise.resolve(true));
  await lock.save(holder, record);
  await lock.release(holder, { keepRecord: true });
}

test('before anything was set up, doctor says what is not there and what is not known, which is no failure', async () => {
  const { code, notOk, all } = await doctor();
  expect(notOk).toEqual([
    'warn task queue keyturn: no worker serves it: start keyturn worker',
    'warn cluster demo: active key: age unknown: no completed rotation on record; policies.maxKeyAge is 30d',
    'warn cluster demo: last rotation: no rotation on record',
    expect.stringMatching(
      /^warn search attributes: Temporal does not know them yet: start keyturn worker, or temporal operator /,
    ),
    'warn cluster demo: has no schedule: its key is rotated only when a person starts it',
  ]);
  expect(code).toBe(0);
  expect(all).toContainEqual({
    level: 'ok',
    what: 'Temporal',
    found: expect.stringMatching(/^namespace default answers; server 1\.\d+\.\d+$/) as string,
  });
  expect(all).toContainEqual({ level: 'ok', what: 'cluster demo: lock', found: 'free' });
  expect(all).toContainEqual({ level: 'ok', what: 'notifications', found: "the worker's log only" });
  expect(all).toContainEqual({ level: 'ok', what: 'cluster demo: leftovers', found: 'none' });
});

test('with a schedule in the file, a missing worker and a missing schedule are failures; so is a key that is too old', async () => {
  await appendFile(
    scene.configFile,
    `metrics: { bindAddress: "127.0.0.1:${metrics.port}" }\nschedules: [{ name: quarterly, reason: policy 7 }]\n`,
  );
  await recordRotation(40);
  const { code, notOk } = await doctor();
  expect(notOk).toEqual([
    'fail task queue keyturn: no worker serves it: start keyturn worker',
    expect.stringMatching(/^fail cluster demo: active key: 40d.* old, overdue by 10d.*: policies.maxKeyAge is 30d$/),
    expect.stringMatching(/^fail cluster demo: last rotation: ended 40d.* ago, more than policies.maxKeyAge of 30d$/),
    expect.stringMatching(/^warn search attributes: /),
    'fail schedule keyturn/quarterly: stands in keyturn.yaml but not in Temporal: run keyturn schedule apply',
  ]);
  expect(code).toBe(1);
  expect((await keyturn('doctor')).stdout).toMatch(/^FAIL cluster demo: active key: 40d/m);
});

test('a worker that starts makes the schedule, and tells the ages to Prometheus while no rotation runs', async () => {
  await scene.startWorker();
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await sleep(200)) {
    const age = await scrape('keyturn_active_key_age_seconds').catch(() => undefined);
    if (age !== undefined) break;
  }
  const days = (
    await Promise.all([scrape('keyturn_active_key_age_seconds'), scrape('keyturn_last_rotation_age_seconds')])
  )
    .map(Number)
    .map((seconds) => Math.floor((seconds * 1000) / DAY_MS));
  expect(days).toEqual([40, 40]);
  expect(await scrape('keyturn_max_key_age_seconds')).toBe('2592000');
  expect(await scrape('keyturn_active_key_age_known')).toBe('1');
  expect(await scrape('keyturn_key_age_read_failures_total')).toBe('0');

  const { all } = await doctor();
  expect(all).toContainEqual({
    level: 'ok',
    what: 'task queue keyturn',
    found: expect.stringMatching(/^served by /) as string,
  });
  expect(all).toContainEqual({
    level: 'ok',
    what: 'schedule keyturn/quarterly',
    found: expect.stringMatching(
      /^on the second wednesday of january, april, july and october at 02:00 UTC; next run 20/,
    ) as string,
  });
});

test('a scheduled run that finds the cluster locked does not start, and that is no failure', async () => {
  await scene.client.workflow.start('none', { workflowId: 'other', taskQueue: 'nobody' });
  const { runId } = await scene.client.workflow.getHandle('other').describe();
  const temporalClusterId = await currentClusterId(scene.client.connection);
  const holder = { temporalClusterId, namespace: 'default', workflowId: 'other', runId };
  await recordRotation(1);
  await lock.acquire(holder, () => Promise.resolve(false));

  const { stdout } = await keyturn('--json', 'schedule', 'trigger');
  const { workflowId } = JSON.parse(stdout) as { workflowId: string };
  const audit = (await scene.client.workflow.getHandle(workflowId).result()) as AuditRecord;
  expect(audit).toMatchObject({
    outcome: 'not-started',
    reason: 'policy 7',
    requestedBy: 'schedule keyturn/quarterly',
  });

  const { notOk, all } = await doctor();
  expect(notOk).toEqual([]);
  expect(all).toContainEqual({
    level: 'ok',
    what: 'cluster demo: lock',
    found: expect.stringMatching(/^held by other since /) as string,
  });
  await lock.release(holder, { keepRecord: true });
  await scene.client.workflow.getHandle('other').terminate();
});

test('a temporary Secret that a run left behind is named', async () => {
  const labels = {
    'app.kubernetes.io/managed-by': 'keyturn',
    'app.kubernetes.io/component': 'controller-manager-probe',
  };
  const path = '/api/v1/namespaces/keyturn/secrets';
  const body = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'left', labels } };
  await client.call({ verb: 'create', path, resource: 'secrets', object: 'left', body });
  expect((await doctor()).notOk).toEqual([
    "warn cluster demo: leftovers: Secret left in Keyturn's namespace: delete with kubectl",
  ]);
  await client.call({ verb: 'delete', path: `${path}/left`, resource: 'secrets', object: 'left' });
});

test('a rotation that the schedule started makes the key young; both ages are told while it runs and after it', async () => {
  await recordRotation(40);
  const { stdout } = await keyturn('--json', 'schedule', 'trigger');
  const { workflowId } = JSON.parse(stdout) as { workflowId: string };
  const audit = (await scene.client.workflow.getHandle(workflowId).result()) as AuditRecord;
  expect(audit.outcome).toBe('completed');
  const { record } = await lock.read();
  expect(record?.formerTimes).toEqual({
    activeKeySince: expect.stringMatching(/^20/) as string,
    rotationEndedAt: expect.stringMatching(/^20/) as string,
  });
  expect(Date.now() - Date.parse(record?.formerTimes?.activeKeySince ?? '')).toBeGreaterThan(39 * DAY_MS);
  expect(await doctor()).toMatchObject({ code: 0, notOk: [] });
});

test('a schedule that is paused is said so', async () => {
  await keyturn('schedule', 'pause', '--reason', 'freeze');
  const { code, notOk } = await doctor();
  expect(notOk).toEqual([
    expect.stringMatching(/^warn schedule keyturn\/quarterly: paused \(freeze \(.*\)\): no rotation starts by itself$/),
  ]);
  expect(code).toBe(0);
});
