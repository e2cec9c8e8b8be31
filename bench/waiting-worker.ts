// Measures a worker's memory while many rotations wait in Draining.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { catalog } from '../src/demo/components/catalog.ts';
import { getComponent } from '../src/demo/components/get-component.ts';
import { startGuardedProcess } from '../src/demo/guarded-process.ts';
import { startTemporalServer } from '../src/demo/temporal-server.ts';
import { statusQuery } from '../src/workflows/messages.ts';

const workerScript = fileURLToPath(new URL('./idle-worker.ts', import.meta.url));
const TASK_QUEUE = 'waiting';
const DEADLINE_MS = 10 * 60_000;

export async function measureWaitingWorker(
  directory: string,
  rotations: number,
): Promise<{ readonly idleBytes: number; readonly waitingBytes: number }> {
  const program = await getComponent(catalog.temporal);
  const temporal = await startTemporalServer({ program, directory });
  const worker = await startGuardedProcess(process.execPath, [workerScript], {
    logFile: path.join(directory, 'worker.log'),
    environment: { BENCH_TEMPORAL_ADDRESS: temporal.address, BENCH_TASK_QUEUE: TASK_QUEUE },
  });
  const connection = await Connection.connect({ address: temporal.address });
  try {
    const client = new Client({ connection });
    // One that has come to its wait shows that the worker has loaded everything.
    await startWaiting(client, ['first']);
    const idleBytes = await residentBytes(worker.pid);
    const names = Array.from({ length: rotations - 1 }, (_, index) => `cluster-${index}`);
    for (let start = 0; start < names.length; start += 50) await startWaiting(client, names.slice(start, start + 50));
    return { idleBytes, waitingBytes: await residentBytes(worker.pid) };
  } finally {
    await connection.close();
    await worker.stop(15_000);
    await temporal.stop();
  }
}

/** Starts rotations and settles when all of them wait in Draining. */
async function startWaiting(client: Client, clusters: readonly string[]): Promise<void> {
  const handles = await Promise.all(
    clusters.map((cluster) =>
      client.workflow.start('rotateSigningKey', { taskQueue: TASK_QUEUE, workflowId: cluster, args: [{ cluster }] }),
    ),
  );
  const deadline = Date.now() + DEADLINE_MS;
  for (const handle of handles) {
    for (;;) {
      const status = await handle.query(statusQuery).catch(() => null);
      if (status?.phase === 'Draining' && status.state === 'waiting') break;
      if (Date.now() > deadline) throw new Error(`${handle.workflowId} does not come to Draining`);
      await sleep(50);
    }
  }
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) * 1024;
}
