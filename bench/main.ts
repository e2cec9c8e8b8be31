// npm run bench: the figures of the README, measured side by side in one run on one control plane.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startEnvironment } from '../src/demo/environment.ts';
import { measureRotation } from './rotation.ts';
import { measureSeedOrder } from './seed-order.ts';
import { measureWaitingWorker } from './waiting-worker.ts';

const say = (text: string) => process.stdout.write(`${text}\n`);
const WAITING_ROTATIONS = 1000;

const directory = await mkdtemp(path.join(tmpdir(), 'keyturn-bench-'));
try {
  const environment = await startEnvironment({
    directory: path.join(directory, 'environment'),
    policies: {
      relyingPartyCache: '3s',
      drain: { policy: 'fixed', duration: '20s', allowShorter: 'bench' },
      probeInterval: '500ms',
      probeReload: '5s',
    },
    onProgress: say,
  });
  try {
    const worker = await environment.startWorker();
    const rotation = await measureRotation(environment);
    await worker.stop(15_000);
    const seedOrder = await measureSeedOrder(environment);
    say('\nRejected token checks while the key of three API servers is rotated, same clients, same control plane:');
    say(`  Keyturn           ${rotation.rejected} of ${rotation.checks}`);
    say(`  order of the seed ${seedOrder.rejected} of ${seedOrder.checks}`);
    say("\nActive time (start to end, less declared waits) over the sum of the API servers' restart times:");
    const { activeMs, restartMs } = rotation;
    say(
      `  ${(activeMs / restartMs).toFixed(2)}  (${(activeMs / 1000).toFixed(1)} s over ${(restartMs / 1000).toFixed(1)} s, ${rotation.restarts} restarts)`,
    );
    say('\nHistory of the rotation:');
    say(`  ${rotation.historyEvents} events, ${(rotation.historyBytes / 1000).toFixed(0)} KB`);
  } finally {
    await environment.stop();
  }
  const { idleBytes, waitingBytes } = await measureWaitingWorker(path.join(directory, 'waiting'), WAITING_ROTATIONS);
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
  say(`\nWorker memory (resident) with ${WAITING_ROTATIONS} rotations waiting in Draining:`);
  say(
    `  ${megabytes(waitingBytes)} MB, against ${megabytes(idleBytes)} MB with none: ${(waitingBytes / idleBytes).toFixed(2)} times`,
  );
} finally {
  await rm(directory, { recursive: true, force: true });
}
process.exit();
