// Writes the histories that replay.test.ts replays, all or those that are named: node test/replay/record-histories.ts [name...]
// Record them anew only for a released change of the workflow that `patched` cannot carry; the old ones then prove what breaks.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as prettier from 'prettier';
import { catalog } from '../../src/demo/components/catalog.ts';
import { getComponent } from '../../src/demo/components/get-component.ts';
import { startTemporalServer } from '../../src/demo/temporal-server.ts';
import { RotationHarness, type RunningRotation } from '../workflows/rotation-harness.ts';
import type { SimulatedWorld } from '../workflows/simulated-activities.ts';
import { historyToText, STORED_HISTORIES, type History } from './stored-history.ts';

interface Recording {
  /** Default: the time-skipping one. */
  readonly onRealServer?: true;
  readonly prepare?: (world: SimulatedWorld) => void;
  /** Brings the run to where its history is taken. */
  readonly play: (running: RunningRotation, harness: RotationHarness) => Promise<void>;
}

const because = (reason: string) => ({ args: [{ reason, by: 'ann' }] as [{ reason: string; by: string }] });

const RECORDINGS: Readonly<Record<string, Recording>> = {
  completed: {
    play: async ({ handle, until }) => {
      await until(({ state }) => state === 'gated');
      await handle.executeUpdate('approve', because('agreed'));
      await handle.result();
    },
  },
  'rolled-back': {
    prepare: (world) => world.inject('switchControllerManager/n2', { fault: 'fails', code: 'NODE_UNREACHABLE' }),
    play: async ({ handle, until }) => {
      await until(({ state }) => state === 'gated');
      await handle.executeUpdate('approve', because('agreed'));
      await until(({ state }) => state === 'held');
      await handle.executeUpdate('rollBack', because('not today'));
      await handle.result();
    },
  },
  'waiting-in-drain': {
    play: async ({ handle, until }) => {
      await until(({ state }) => state === 'gated');
      await handle.executeUpdate('approve', because('agreed'));
      await until(({ state, phase }) => state === 'waiting' && phase === 'Draining');
    },
  },
  held: {
    prepare: (world) => world.inject('trust/n2', { fault: 'fails', code: 'MANIFEST_REFUSED' }),
    play: async ({ until }) => void (await until(({ state }) => state === 'held')),
  },
  paused: {
    prepare: (world) => world.inject('trust/n1', { fault: 'completes though cancelled' }),
    play: async ({ handle, until, world }) => {
      await until(() => world.hanging.includes('trust/n1'));
      await handle.executeUpdate('pause', because('lunch'));
      world.letGo('trust/n1');
      await until(({ state }) => state === 'paused');
      // One task more: a replay cannot compare what comes after the last.
      await handle.executeUpdate('changeDrain', { args: [{ reason: 'longer', drain: { policy: 'expiry' } }] });
    },
  },
  'lost-probes': {
    onRealServer: true,
    prepare: (world) => {
      world.losesEndingProbes = true;
    },
    play: async ({ handle, until }) => {
      await until(({ state }) => state === 'gated');
      await handle.executeUpdate('approve', because('agreed'));
      await until(({ phase }) => phase === 'Draining');
      // Temporal hears of it when the time of their heartbeat is over.
      await sleep(15_000);
      await until(({ state }) => state === 'waiting');
      await handle.executeUpdate('changeDrain', { args: [{ reason: 'longer', drain: { policy: 'expiry' } }] });
    },
  },
};

const named = process.argv.slice(2);
const skipping = await RotationHarness.create();
// The time-skipping one waits for whom it has asked to end, and would not notice that nobody is left.
const directory = await mkdtemp(path.join(tmpdir(), 'keyturn-record-'));
const server = await startTemporalServer({ program: await getComponent(catalog.temporal), directory });
const real = await RotationHarness.create(server.address);
await mkdir(STORED_HISTORIES, { recursive: true });
for (const [name, { prepare, play, onRealServer = false }] of Object.entries(RECORDINGS)) {
  if (named.length > 0 && !named.includes(name)) continue;
  const harness = onRealServer ? real : skipping;
  const world = harness.world({ nodes: ['n1', 'n2'] });
  prepare?.(world);
  const input = { cluster: 'prod', reason: 'quarterly', gates: ['signing' as const] };
  const history: History = await harness.rotate(world, input, async (running) => {
    await play(running, harness);
    const taken = await running.handle.fetchHistory();
    const { state } = await running.status();
    if (state !== 'ended') await running.handle.terminate();
    return taken;
  });
  const text = await prettier.format(historyToText(history), { parser: 'json', printWidth: 120 });
  await writeFile(path.join(STORED_HISTORIES, `${name}.json`), text);
  console.log(`${name}: ${history.events?.length ?? 0} events`);
}
await skipping.stop();
await real.stop();
await server.stop();
await rm(directory, { recursive: true, force: true });
