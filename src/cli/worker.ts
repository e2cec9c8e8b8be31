// keyturn worker: runs workflows and activities until it is told to stop.
import { Command } from 'commander';
import { loadConfig } from '../config/load.ts';

export function workerCommand(): Command {
  return new Command('worker')
    .description('run rotations: workflows and activities')
    .action(async (_: unknown, command: Command) => {
      const { config } = command.optsWithGlobals<{ config: string }>();
      const loaded = await loadConfig(config);
      // Loaded here only: it takes the other commands a second, and they do not need it.
      const { runWorker } = await import('../worker/run-worker.ts');
      await runWorker(loaded);
    });
}
