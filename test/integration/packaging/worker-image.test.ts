// The very command of the worker's image, from the built files, against a real Temporal server.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { catalog } from '../../../src/demo/components/catalog.ts';
import { getComponent } from '../../../src/demo/components/get-component.ts';
import { startTemporalServer, type TemporalServer } from '../../../src/demo/temporal-server.ts';
import { makeImageFolder, readImageCommand } from '../../packaging/image-files.ts';

const exampleConfig = join(import.meta.dirname, '..', '..', '..', 'examples', 'keyturn.yaml');

let scratch: string;
let app: string;
let temporal: TemporalServer;
let worker: ChildProcess | undefined;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'keyturn-worker-image-'));
  return () => rm(scratch, { recursive: true, force: true });
});

beforeAll(async () => {
  app = await makeImageFolder();
  return () => rm(app, { recursive: true, force: true });
});

beforeAll(async () => {
  temporal = await startTemporalServer({ program: await getComponent(catalog.temporal), directory: scratch });
  return () => temporal.stop();
});

afterAll(() => {
  worker?.kill('SIGKILL');
});

it('serves the task queue of the example configuration, and ends in good order when the container is stopped', async () => {
  const [, ...args] = await readImageCommand();
  const environment = {
    PATH: process.env['PATH'],
    HOME: scratch,
    NODE_ENV: 'production',
    KEYTURN_CONFIG: exampleConfig,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: 'default',
  };
  const running = spawn(process.execPath, args, { cwd: app, env: environment, stdio: 'ignore' });
  worker = running;
  const ended = once(running, 'exit');

  const connection = await Connection.connect({ address: temporal.address });
  try {
    await vi.waitFor(
      async () => {
        for (const taskQueueType of [1, 2]) {
          const { pollers } = await connection.workflowService.describeTaskQueue({
            namespace: 'default',
            taskQueue: { name: 'keyturn' },
            taskQueueType,
          });
          expect(pollers).toHaveLength(1);
        }
      },
      { timeout: 60_000, interval: 500 },
    );
  } finally {
    await connection.close();
  }

  running.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});
