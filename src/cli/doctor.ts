// keyturn doctor: checks configuration, access, workers, schedules and the age of keys, one line each; changes nothing.
import type { Client } from '@temporalio/client';
import { Command } from 'commander';
import { loadConfig, type LoadedConfig } from '../config/load.ts';
import { examineCluster } from './examine-cluster.ts';
import { examineSchedules } from './examine-schedules.ts';
import { examineNotifications, examineSearchAttributes } from './examine-telling.ts';
import { examineTemporal, examineWorkers } from './examine-temporal.ts';
import { EXIT } from './exit-code.ts';
import { check, ok, renderFindings, type Finding } from './finding.ts';
import { print } from './output.ts';
import { connectClient } from '../worker/connect-temporal.ts';

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('check configuration, access, workers, schedules and key ages; exit code 1 where something is wrong')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<{ config: string; json?: boolean }>();
      const findings = await examine(await loadConfig(options.config), Date.now());
      print(findings, renderFindings(findings), options);
      if (findings.some(({ level }) => level === 'fail')) process.exitCode = EXIT.failed;
    });
}

async function examine(config: LoadedConfig, nowMs: number): Promise<readonly Finding[]> {
  const findings: Finding[] = [ok('configuration', `${config.file}: ${config.clusters.length} cluster(s)`)];
  let client: Client | undefined;
  const temporal = await check('Temporal', async () => {
    client = await connectClient();
    return [await examineTemporal(client), ...(await examineWorkers(client, config, nowMs))];
  });
  findings.push(...temporal, ...(await check('notifications', () => examineNotifications(config))));
  const lastRotationsMs = new Map<string, number | null>();
  for (const cluster of config.clusters) {
    const examined = await examineCluster(config, cluster, nowMs);
    findings.push(...examined.findings);
    lastRotationsMs.set(cluster.name, examined.lastRotationMs);
  }
  if (client === undefined) return findings;
  const connected = client;
  return [
    ...findings,
    ...(await check('search attributes', () => examineSearchAttributes(connected))),
    ...(await check('schedules', () => examineSchedules(connected, config, lastRotationsMs, nowMs))),
  ];
}
