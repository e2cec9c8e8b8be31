// What is told of slow clients where audit logs are configured: read from real files, as far as they can be read.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AuditLog } from '../../src/activities/cluster-adapters.ts';
import { lookForSlowClients } from '../../src/activities/slow-client-steps.ts';
import type { StepContext } from '../../src/activities/step-frame.ts';
import { LocalNodeFiles } from '../../src/nodes/local.ts';
import type { SlowClientReport, StaleTokenCount } from '../../src/rotation/slow-clients.ts';

const SWITCHED = '2026-06-02T12:00:00.000Z';
const COUNTED = '2026-06-02T12:00:30.000Z';
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'keyturn-audit-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function look(auditLogs: readonly AuditLog[], counts: readonly StaleTokenCount[]): Promise<SlowClientReport> {
  const context = {
    adapters: { slowClients: { staleTokenCounts: () => Promise.resolve(counts), auditLogs } },
    control: { signal: new AbortController().signal, report: () => undefined },
  } as unknown as StepContext;
  const baseline = { at: COUNTED, counts: [{ node: 'node-1', count: 5, startedAtMs: 1 }] };
  return lookForSlowClients(context, baseline, SWITCHED);
}

const event = (auditID: string, time: string, subject: string, secondsAfterWarning: number) =>
  JSON.stringify({
    auditID,
    requestReceivedTimestamp: time,
    annotations: {
      'authentication.k8s.io/stale-token': `subject: ${subject}, seconds after warning threshold: ${secondsAfterWarning}`,
    },
  });

test('clients with tokens of the former key are named, with how far each log was read', async () => {
  const log = path.join(directory, 'audit.log');
  const lines = [
    event('1', '2026-06-02T12:00:20.000000Z', 'before-the-count', 9000),
    event('2', '2026-06-02T15:00:00.000000Z', 'slow', 9000),
    event('3', '2026-06-02T15:00:01.000000Z', 'slow', 9001),
    // Minted at 13:00, with the new key.
    event('4', '2026-06-02T15:00:00.000000Z', 'slow-with-the-new-key', 3593),
  ];
  await writeFile(log, `${lines.join('\n')}\n`);
  const local = new LocalNodeFiles('node-1');
  const wholeFilesOnly = { node: 'node-3' } as LocalNodeFiles;
  const report = await look(
    [
      { node: 'node-1', path: log, files: local },
      { node: 'node-2', path: path.join(directory, 'none.log'), files: local },
      { node: 'node-3', path: log, files: wholeFilesOnly },
      { node: 'node-4', path: directory, files: local },
    ],
    [{ node: 'node-1', count: 8, startedAtMs: 1 }],
  );
  expect(report).toEqual({
    since: COUNTED,
    increases: [{ node: 'node-1', uses: 3, atLeast: false }],
    auditLogs: [
      { node: 'node-1', from: '2026-06-02T12:00:20.000Z' },
      { node: 'node-2', from: null, unknown: `there is no ${path.join(directory, 'none.log')}` },
      { node: 'node-3', from: null, unknown: 'this access to the node reads whole files only' },
      { node: 'node-4', from: null, unknown: expect.stringContaining('is a directory') as string },
    ],
    clients: [
      {
        subject: 'slow',
        uses: 2,
        lastUsedAt: '2026-06-02T15:00:01.000Z',
        tokenIssuedAt: '2026-06-02T11:29:53.000Z',
      },
    ],
    leftOut: 0,
  });
});

test('without audit logs the counters alone are told', async () => {
  const counts = [{ node: 'node-1', count: 5, startedAtMs: 1 }];
  expect(await look([], counts)).toMatchObject({
    increases: [{ node: 'node-1', uses: 0 }],
    auditLogs: [],
    clients: [],
  });
});
