// keyturn migrate-issuer: starts the move of a cluster to the issuer that keyturn.yaml names.
import { Command } from 'commander';
import { findCluster, loadConfig } from '../config/load.ts';
import { connectClient } from '../worker/connect-temporal.ts';
import { print } from './output.ts';
import { requesterOf, startMigration } from './rotate.ts';

interface MigrateOptions {
  readonly config: string;
  readonly reason?: string;
  readonly askBeforeSigning?: boolean;
  readonly json?: boolean;
}

export function migrateIssuerCommand(): Command {
  return new Command('migrate-issuer')
    .description(
      'move a Gardener Shoot to the issuer that keyturn.yaml names (see it first: keyturn plan --migrate-issuer)',
    )
    .argument('[cluster]', 'name in keyturn.yaml; may be left out where only one is configured')
    .option('--reason <text>', 'stands in the audit record')
    .option('--ask-before-signing', 'wait for an approval before tokens are of the new issuer')
    .action(async (cluster: string | undefined, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<MigrateOptions>();
      const config = await loadConfig(options.config);
      const { name, issuer } = findCluster(config, cluster);
      const { workflowId } = await startMigration(await connectClient(), config.taskQueue, {
        cluster: name,
        requestedBy: requesterOf(),
        ...(options.reason === undefined ? {} : { reason: options.reason }),
        ...(options.askBeforeSigning === true ? { gates: ['signing'] as const } : {}),
      });
      print(
        { workflowId, cluster: name, issuer },
        `Started ${workflowId}, to ${issuer}. Watch it with: keyturn watch ${name}`,
        options,
      );
    });
}
