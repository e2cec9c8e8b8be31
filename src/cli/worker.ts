// keyturn worker: runs workflows and activities until it is told to stop.
import { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import { runWorker } from '../worker/run-worker.ts';

export function workerCommand(): Command {
  return new Command('worker')
    .description('run rotations: workflows and activities')
    .action(async (_: unknown, command: Command) => {
      const { config } = command.optsWithGlobals<{ config: string }>();
      await runWorker(await loadConfig(config));
    });
}
