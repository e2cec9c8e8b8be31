// Doctor and workers on several hosts, as a real Temporal knows them.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { examineWorkers } from '../../../src/cli/examine-temporal.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { catalog } from '../../../src/demo/components/catalog.ts';
import { getComponent } from '../../../src/demo/components/get-component.ts';
import { startTemporalServer, type TemporalServer } from '../../../src/demo/temporal-server.ts';

let directory: string;
let server: TemporalServer;
let connection: Connection;
const polls: Promise<unknown>[] = [];
const stopPolling = new AbortController();
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyturn-doctor-'));
  server = await startTemporalServer({ program: await getComponent(catalog.temporal), directory });
  connection = await Connection.connect({ address: server.address });
});
afterAll(async () => {
  // A poll that is still under way when its connection is closed would be tried again, and fail the run.
  stopPolling.abort();
  await Promise.allSettled(polls);
  await connection?.close();
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** Lines about key stores, with workers of these identities on a task queue of their own. */
async function examine(taskQueue: string, identities: readonly string[]): Promise<readonly string[]> {
  for (const identity of identities) {
    const poll = { namespace: 'default', taskQueue: { name: taskQueue }, identity };
    const polling = connection.withAbortSignal(stopPolling.signal, () =>
      connection.withDeadline(Date.now() + 60_000, () => connection.workflowService.pollWorkflowTaskQueue(poll)),
    );
    polling.catch(() => undefined);
    polls.push(polling);
  }
  const cluster = (name: string, keyStore: string) => `
  - name: ${name}
    platform: { type: static-pod, kubeconfig: none, nodes: [{ name: node-1 }] }
    issuer: https://issuer.example
    publisher: { type: azure-blob, container: https://example.com/oidc }
    keyStore: ${keyStore}`;
  const config = parseConfig(
    `taskQueue: ${taskQueue}\nclusters:` +
      cluster('disk', '{ type: encrypted-file, directory: keys, wrappingKey: { env: KEY } }') +
      cluster('mounted', '{ type: encrypted-file, directory: keys, shared: true, wrappingKey: { env: KEY } }') +
      cluster('secret', '{ type: kubernetes-secret, wrappingKey: none }') +
      cluster('own', '{ type: bring-your-own, privateKeyFile: own.key }'),
    'test',
  );
  const client = new Client({ connection });
  let findings = await examineWorkers(client, config, Date.now());
  await expect
    .poll(async () => (findings = await examineWorkers(client, config, Date.now()))[0]?.found.split(', ').length, {
      timeout: 20_000,
    })
    .toBe(identities.length);
  return findings.slice(1).map(({ level, what, found }) => `${level} ${what}: ${found}`);
}

test('workers on two hosts are refused where staged keys lie on a local disk', async () => {
  expect(await examine('two-hosts', ['1@worker-0', '1@worker-1', '2@worker-1'])).toEqual([
    expect.stringMatching(
      /^fail cluster disk: key store: there are workers on 2 hosts \(worker-0, worker-1\).*kubernetes-secret/,
    ),
    expect.stringMatching(/^warn cluster own: key store: there are workers on 2 hosts .*same files/),
  ]);
});

test('several workers on one host are fine', async () => {
  expect(await examine('one-host', ['1@worker-0', '2@worker-0'])).toEqual([]);
});
