// keyturn keys rewrap: brings staged keys under the present wrapping key, while rotations run.
import { Command } from 'commander';
import { findCluster, loadConfig, type LoadedConfig } from '../config/load.ts';
import type { ClusterConfig } from '../config/schema.ts';
import { KeyturnError } from '../errors.ts';
import { composeKeyStore } from '../worker/compose-key-store.ts';
import { EXIT } from './exit-code.ts';
import { print } from './output.ts';

type Rewrapping =
  | { readonly cluster: string; readonly outcome: 'rewrapped' | 'current'; readonly from: string; readonly to: string }
  | { readonly cluster: string; readonly outcome: 'nothing'; readonly why: string }
  | { readonly cluster: string; readonly outcome: 'failed'; readonly code: string; readonly message: string };

export function keysCommand(): Command {
  const rewrap = new Command('rewrap')
    .description('encrypt staged keys with the present wrapping key; may be repeated, and run beside a rotation')
    .option('--cluster <name>', 'of this cluster only; default: of all')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<{ config: string; json?: boolean; cluster?: string }>();
      const config = await loadConfig(options.config);
      const clusters = options.cluster === undefined ? config.clusters : [findCluster(config, options.cluster)];
      const done: Rewrapping[] = [];
      for (const cluster of clusters) done.push(await rewrapKeyOf(config, cluster));
      print(done, done.map(render).join('\n'), options);
      if (done.some(({ outcome }) => outcome === 'failed')) process.exitCode = EXIT.failed;
    });
  return new Command('keys').description('keys in the key store').addCommand(rewrap);
}

/** A cluster whose key store cannot be had does not keep the others from theirs. */
async function rewrapKeyOf(config: LoadedConfig, clusterConfig: ClusterConfig): Promise<Rewrapping> {
  const cluster = clusterConfig.name;
  try {
    const keyStore = await composeKeyStore(config, clusterConfig);
    const rewrap = await keyStore.rewrap(cluster);
    if (rewrap !== undefined)
      return { cluster, outcome: rewrap.from === rewrap.to ? 'current' : 'rewrapped', ...rewrap };
    const why = isEncrypted(clusterConfig) ? 'no key is staged' : 'its key store does not encrypt';
    return { cluster, outcome: 'nothing', why };
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    return { cluster, outcome: 'failed', code: error.code, message: error.message };
  }
}

function isEncrypted({ keyStore }: ClusterConfig): boolean {
  return 'wrappingKey' in keyStore && keyStore.wrappingKey !== 'none';
}

function render(rewrapping: Rewrapping): string {
  const { cluster } = rewrapping;
  switch (rewrapping.outcome) {
    case 'rewrapped':
      return `${cluster}: ${rewrapping.from} -> ${rewrapping.to}`;
    case 'current':
      return `${cluster}: already under ${rewrapping.to}`;
    case 'nothing':
      return `${cluster}: nothing to re-wrap: ${rewrapping.why}`;
    case 'failed':
      return `${cluster}: ${rewrapping.message} [${rewrapping.code}]`;
  }
}
