// Clients that do not reload their tokens: the evidence of them, and the restart of workloads that are named.
import { KeyturnError } from '../errors.ts';
import { readAuditLog } from '../rotation/audit-log.ts';
import {
  increasesSince,
  slowClientsOf,
  type AuditLogCoverage,
  type SlowClientReport,
  type StaleTokenUse,
} from '../rotation/slow-clients.ts';
import { titleOf } from '../rotation/workload.ts';
import type { AuditLog } from './cluster-adapters.ts';
import type { StepContext, StepOutcome } from './step-frame.ts';

/** Enough for hours of a busy cluster; kube-apiserver's --audit-log-maxsize is 100 MB by default. */
const MAX_AUDIT_LOG_BYTES = 16 * 2 ** 20;

/** Uses are counted from here on. */
export async function beginStaleTokenCount(context: StepContext): Promise<void> {
  const counts = await context.adapters.slowClients.staleTokenCounts();
  await context.saveRecord({ staleTokens: { at: context.now(), counts } });
}

/** What was seen since the count began, or since an operator was told last. */
export async function lookForSlowClients(context: StepContext): Promise<SlowClientReport> {
  const { adapters, record, control } = context;
  control.report('looking for clients that do not reload their tokens');
  const baseline = record.staleTokens ?? { at: record.milestones.verifiedAt ?? context.now(), counts: [] };
  const switchedAtMs = Date.parse(record.milestones.verifiedAt ?? baseline.at);
  const logs = await Promise.all(adapters.slowClients.auditLogs.map(readOne));
  const uses = logs.flatMap((log) => log.uses);
  const increases = increasesSince(baseline, await adapters.slowClients.staleTokenCounts());
  return {
    since: baseline.at,
    increases,
    auditLogs: logs.map(({ coverage }) => coverage),
    ...slowClientsOf(uses, Date.parse(baseline.at), switchedAtMs),
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
