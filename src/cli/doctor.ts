// keyturn doctor: checks configuration, access and components, one line each; changes nothing.
import { Command } from 'commander';
import { observeCluster } from '../activities/observe-cluster.ts';
import { loadConfig, type LoadedConfig } from '../config/load.ts';
import type { ClusterConfig } from '../config/schema.ts';
import { KeyturnError } from '../errors.ts';
import { formatDuration } from '../rotation/duration.ts';
import { findBlockers, findFormer } from '../rotation/preflight.ts';
import { composeCluster } from '../worker/compose-cluster.ts';
import { EXIT } from './exit-code.ts';
import { print } from './output.ts';
import { connectClient } from './temporal.ts';

interface Finding {
  readonly ok: boolean;
  /** What was checked. */
  readonly what: string;
  /** What was found, and what to do. */
  readonly found: string;
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('check configuration, access and Temporal; exit code 1 where something is wrong')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<{ config: string; json?: boolean }>();
      const config = await loadConfig(options.config);
      const findings = [
        { ok: true, what: 'configuration', found: `${config.file}: ${config.clusters.length} cluster(s)` },
        await check('Temporal', async () => {
          const client = await connectClient();
          return `namespace ${client.options.namespace} answers`;
        }),
      ];
      for (const cluster of config.clusters) findings.push(...(await examine(config, cluster)));
      print(
        findings,
        findings.map(({ ok, what, found }) => `${ok ? 'ok  ' : 'FAIL'} ${what}: ${found}`).join('\n'),
        options,
      );
      if (findings.some(({ ok }) => !ok)) process.exitCode = EXIT.failed;
    });
}

async function examine(config: LoadedConfig, cluster: ClusterConfig): Promise<readonly Finding[]> {
  const prefix = `cluster ${cluster.name}`;
  try {
    const adapters = await composeCluster(config, cluster);
    const facts = await observeCluster(adapters, adapters.policies);
    const blockers = findBlockers(facts);
    if (blockers.length > 0) {
      return blockers.map(({ code, message }) => ({ ok: false, what: prefix, found: `${message} [${code}]` }));
    }
    const drain = 'refused' in facts.drain ? facts.drain.refused : `drain ${formatDuration(facts.drain.totalMs)}`;
    return [
      {
        ok: true,
        what: prefix,
        found: `${facts.controlPlane.apiServers.length} API servers agree; ready to rotate; ${drain}`,
      },
      { ok: true, what: `${prefix}: signing key`, found: findFormer(facts)?.kid ?? 'unknown' },
      {
        ok: true,
        what: `${prefix}: public JWKS`,
        found: `${facts.publicUrl} has ${facts.publicKids?.length ?? 0} key(s)`,
      },
      { ok: true, what: `${prefix}: last rotation`, found: facts.record?.ended?.at ?? 'none on record' },
    ];
  } catch (error) {
    return [await check(prefix, () => Promise.reject(error))];
  }
}

async function check(what: string, look: () => Promise<string>): Promise<Finding> {
  try {
    return { ok: true, what, found: await look() };
  } catch (error) {
    if (error instanceof KeyturnError) return { ok: false, what, found: `${error.message} [${error.code}]` };
    throw error;
  }
}
