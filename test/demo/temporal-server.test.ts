// The Temporal server of the demo: the API, the UI, and a restart that loses nothing.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { catalog } from '../../src/demo/components/catalog.ts';
import { getComponent } from '../../src/demo/components/get-component.ts';
import { startTemporalServer, type TemporalServer } from '../../src/demo/temporal-server.ts';

let directory: string;
let server: TemporalServer;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyturn-temporal-'));
  const program = await getComponent(catalog.temporal);
  server = await startTemporalServer({ program, directory, databasePath: join(directory, 'temporal.db') });
});
afterAll(async () => {
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

async function withClient<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address: server.address });
  try {
    return await work(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

describe('startTemporalServer', () => {
  it('serves the API and the Web UI on loopback', async () => {
    expect(server.address).toMatch(/^127\.0\.0\.1:\d+$/);
    expect((await fetch(server.uiUrl)).status).toBe(200);
  });

  it('still has its workflows after it was stopped and started again, at the same address', async () => {
    const handle = { workflowId: 'kept', taskQueue: 'nobody' };
    await withClient((client) => client.workflow.start('anything', handle));
    await server.stop();
    await expect(fetch(server.uiUrl)).rejects.toThrow('fetch failed');
    await server.start();
    const description = await withClient((client) => client.workflow.getHandle('kept').describe());
    expect(description.status.name).toBe('RUNNING');
  });
});
