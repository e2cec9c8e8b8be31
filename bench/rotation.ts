// Measures one rotation: refused tokens, active time against restart times, size of the history.
import type { Environment } from '../src/demo/environment.ts';
import { startWorkloads } from '../src/demo/workloads.ts';
import { startRotation } from '../src/cli/rotate.ts';
import { watchRenames } from './renames.ts';

export const CLIENTS = { cacheMs: 3_000, intervalMs: 200, reloadAfterMs: 3_000 } as const;

export interface RotationFigures {
  readonly checks: number;
  readonly rejected: number;
  /** Start to end, less declared waits. */
  readonly activeMs: number;
  /** Sum over all API servers and restarts, from the manifest's rename to ready. */
  readonly restartMs: number;
  readonly restarts: number;
  readonly fastestRestartMs: number;
  readonly slowestRestartMs: number;
  /** Of the controller managers, as the steps that ordered them have measured it. */
  readonly managerRestartMs: number;
  readonly managerRestarts: number;
  readonly historyEvents: number;
  readonly historyBytes: number;
}

export async function measureRotation(environment: Environment): Promise<RotationFigures> {
  const workloads = await startWorkloads(environment, CLIENTS);
  const renames = watchRenames(environment.controlPlane.nodes);
  const handle = await startRotation(environment.client, 'keyturn', { cluster: environment.cluster, reason: 'bench' });
  const audit = await handle.result();
  const counts = await workloads.stop();
  renames.stop();
  if (process.env['BENCH_STEPS']) {
    for (const { id, startedAt, endedAt, restartMs } of audit.steps) {
      process.stderr.write(`${id} ${Date.parse(endedAt) - Date.parse(startedAt)} ms (restart ${restartMs ?? 0} ms)\n`);
    }
  }
  const waitedMs = audit.waits.reduce((sum, { from, until }) => sum + Date.parse(until) - Date.parse(from), 0);
  const lengths = environment.controlPlane.nodes.flatMap(({ name }) =>
    environment.controlPlane
      .apiServerRestarts(name)
      .map(({ stoppedAt, readyAt }) => readyAt - (renames.lastBefore(name, stoppedAt) ?? stoppedAt)),
  );
  const ofManagers = audit.steps.flatMap(({ id, restartMs = 0 }) =>
    id.includes('controller-manager') && restartMs > 0 ? [restartMs] : [],
  );
  const { raw } = await handle.describe();
  return {
    checks: counts.checks,
    rejected: counts.rejected,
    activeMs: Date.parse(audit.endedAt) - Date.parse(audit.startedAt) - waitedMs,
    restartMs: lengths.reduce((sum, ms) => sum + ms, 0),
    restarts: lengths.length,
    fastestRestartMs: Math.min(...lengths),
    slowestRestartMs: Math.max(...lengths),
    managerRestartMs: ofManagers.reduce((sum, ms) => sum + ms, 0),
    managerRestarts: ofManagers.length,
    historyEvents: Number(raw.workflowExecutionInfo?.historyLength ?? 0),
    historyBytes: Number(raw.workflowExecutionInfo?.historySizeBytes ?? 0),
  };
}
