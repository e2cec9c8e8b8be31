// Clients that do not reload their tokens: the evidence of them, and the restart of workloads that are named.
import { KeyturnError } from '../errors.ts';
import { readAuditLog } from '../rotation/audit-log.ts';
import {
  describeSlowClients,
  increasesSince,
  slowClientsOf,
  type AuditLogCoverage,
  type SlowClientReport,
  type StaleTokenBaseline,
  type StaleTokenUse,
} from '../rotation/slow-clients.ts';
import { titleOf } from '../rotation/workload.ts';
import type { AuditLog } from './cluster-adapters.ts';
import type { StepContext, StepOutcome } from './step-frame.ts';

/** Enough for hours of a busy cluster; kube-apiserver's --audit-log-maxsize is 100 MB by default. */
const MAX_AUDIT_LOG_BYTES = 16 * 2 ** 20;

/** Uses are counted from here on. */
export async function countStaleTokens({
  adapters,
  now,
}: Pick<StepContext, 'adapters' | 'now'>): Promise<StaleTokenBaseline> {
  return { at: now(), counts: await adapters.slowClients.staleTokenCounts() };
}

/**
 * What was seen since the count began, or since an operator was told last.
 * @param switchedAt RFC 3339: tokens that were issued later harm nobody
 */
export async function lookForSlowClients(
  { adapters, control }: Pick<StepContext, 'adapters' | 'control'>,
  baseline: StaleTokenBaseline,
  switchedAt: string = baseline.at,
): Promise<SlowClientReport> {
  control.report('looking for clients that do not reload their tokens');
  const logs = await Promise.all(adapters.slowClients.auditLogs.map(readOne));
  const uses = logs.flatMap((log) => log.uses);
  const increases = increasesSince(baseline, await adapters.slowClients.staleTokenCounts());
  return {
    since: baseline.at,
    increases,
    auditLogs: logs.map(({ coverage }) => coverage),
    ...slowClientsOf(uses, Date.parse(baseline.at), Date.parse(switchedAt)),
  };
}

/** Refreshing: `kubectl rollout restart`, and its end awaited. */
export async function restart({ adapters, input, record, control }: StepContext): Promise<StepOutcome> {
  const { workload } = input;
  if (workload === undefined) throw new Error('a restart names its workload');
  const { rotationId } = record;
  const timeoutMs = adapters.policies.restartTimeoutMs;
  const { restarted, progress } = await adapters.slowClients.restart(workload, { ...control, rotationId, timeoutMs });
  const how = restarted ? 'was restarted' : 'had been restarted by this rotation already';
  return { changed: restarted, proof: `${titleOf(workload)} ${how}: ${progress}` };
}

/** To be told once: what is counted begins anew with it. */
export function clientsAreSlow(report: SlowClientReport, subject: string): KeyturnError {
  const sentence = describeSlowClients(report);
  return new KeyturnError('SLOW_CLIENTS', sentence.charAt(0).toUpperCase() + sentence.slice(1), {
    subject,
    remedy:
      'Nothing that they need was taken away yet. Restart the workloads that go on with old tokens, wait, and retry: only what is seen from now on counts then. A retry without more ado accepts what is told here',
  });
}

interface ReadLog {
  readonly coverage: AuditLogCoverage;
  readonly uses: readonly StaleTokenUse[];
}

/** Evidence that cannot be had is said to be missing; it holds nothing up. */
async function readOne({ node, path, files }: AuditLog): Promise<ReadLog> {
  const missing = (unknown: string): ReadLog => ({ coverage: { node, from: null, unknown }, uses: [] });
  if (files.readTail === undefined) return missing('this access to the node reads whole files only');
  try {
    const text = await files.readTail(path, MAX_AUDIT_LOG_BYTES);
    if (text === undefined) return missing(`there is no ${path}`);
    const { fromMs, uses } = readAuditLog(text);
    return { coverage: { node, from: fromMs === null ? null : new Date(fromMs).toISOString() }, uses };
  } catch (error) {
    if (error instanceof KeyturnError) return missing(error.message);
    throw error;
  }
}
