// npm run bench: the figures of the README, measured side by side in one run on one control plane. With --kubelet: on real nodes, as root.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { startEnvironment } from '../src/demo/environment.ts';
import { measureRotation } from './rotation.ts';
import { measureSeedOrder } from './seed-order.ts';
import { measureWaitingWorker } from './waiting-worker.ts';

const say = (text: string) => process.stdout.write(`${text}\n`);
const WAITING_ROTATIONS = 1000;
const { values: options } = parseArgs({ options: { kubelet: { type: 'boolean', default: false } } });

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
    ...(options.kubelet ? { kubelet: true } : {}),
  });
  try {
    const worker = await environment.startWorker();
    const rotation = await measureRotation(environment);
    await worker.stop(15_000);
    const seedOrder = await measureSeedOrder(environment);
    say('\nRejected token checks while the key of three API servers is rotated, same clients, same control plane:');
    say(`  Keyturn           ${rotation.rejected} of ${rotation.checks}`);
    say(`  order of the seed ${seedOrder.rejected} of ${seedOrder.checks}`);
    say(
      '\nActive time (start to end, less declared waits) over the sum of the restarts that it orders (manifest renamed to ready):',
    );
    const { activeMs, restartMs, slowestRestartMs, fastestRestartMs, managerRestartMs } = rotation;
    const seconds = (ms: number) => (ms / 1000).toFixed(1);
    say(
      `  ${(activeMs / (restartMs + managerRestartMs)).toFixed(2)}  (${seconds(activeMs)} s over ${seconds(restartMs)} s in ${rotation.restarts} restarts of API servers, each ${seconds(fastestRestartMs)} to ${seconds(slowestRestartMs)} s, and ${seconds(managerRestartMs)} s in ${rotation.managerRestarts} of controller managers)`,
    );
    say(`  ${(activeMs / restartMs).toFixed(2)}  over those of API servers alone`);
    say('\nHistory of the rotation:');
    say(`  ${rotation.historyEvents} events, ${(rotation.historyBytes / 1000).toFixed(0)} KB`);
  } finally {
    await environment.stop();
  }
  if (!options.kubelet) await tellWaitingWorker();
} finally {
  await rm(directory, { recursive: true, force: true });
}
process.exit();

async function tellWaitingWorker(): Promise<void> {
  const { idleBytes, waitingBytes } = await measureWaitingWorker(path.join(directory, 'waiting'), WAITING_ROTATIONS);
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
  say(`\nWorker memory (resident) with ${WAITING_ROTATIONS} rotations waiting in Draining:`);
  say(
    `  ${megabytes(waitingBytes)} MB, against ${megabytes(idleBytes)} MB with none: ${(waitingBytes / idleBytes).toFixed(2)} times`,
  );
}
