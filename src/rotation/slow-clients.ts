// Clients that do not reload their tokens: what API servers and audit logs tell of them, and what follows. Pure.

/** `serviceaccount_stale_tokens_total` of one API server, or why it could not be read. */
export type StaleTokenCount =
  | { readonly node: string; readonly count: number; readonly startedAtMs: number }
  | { readonly node: string; readonly unknown: string };

/** Where an increase is counted from; stands in the cluster's record. */
export interface StaleTokenBaseline {
  /** RFC 3339 */
  readonly at: string;
  readonly counts: readonly StaleTokenCount[];
}

/** Of one API server since the last look. */
export interface StaleTokenIncrease {
  readonly node: string;
  /** Requests with a token older than an hour that was meant to be reloaded; null where not known. */
  readonly uses: number | null;
  /** True where it restarted meanwhile: what it had counted before is lost. */
  readonly atLeast: boolean;
  readonly unknown?: string;
}

/** One request with such a token, from an audit log. */
export interface StaleTokenUse {
  /** `system:serviceaccount:namespace:name` */
  readonly subject: string;
  /** ms since the epoch */
  readonly usedAtMs: number;
  readonly issuedAtMs: number;
}

/** A ServiceAccount whose tokens of the former key were seen in use. */
export interface SlowClient {
  readonly subject: string;
  readonly uses: number;
  /** RFC 3339 */
  readonly lastUsedAt: string;
  readonly tokenIssuedAt: string;
}

/** How far back one node's audit log was read. */
export interface AuditLogCoverage {
  readonly node: string;
  /** RFC 3339, of the first request that was read; null where nothing was. */
  readonly from: string | null;
  readonly unknown?: string;
}

export interface SlowClientReport {
  /** RFC 3339: since when uses are counted. */
  readonly since: string;
  readonly increases: readonly StaleTokenIncrease[];
  /** Empty where no audit log is configured. */
  readonly auditLogs: readonly AuditLogCoverage[];
  /** At most 20, the busiest first. */
  readonly clients: readonly SlowClient[];
  readonly leftOut: number;
}

const MAX_CLIENTS = 20;

/** A counter that began anew gives what it has counted since: the least that it can be. */
export function increasesSince(
  baseline: StaleTokenBaseline,
  now: readonly StaleTokenCount[],
): readonly StaleTokenIncrease[] {
  return now.map((current) => {
    const { node } = current;
    if ('unknown' in current) return { node, uses: null, atLeast: false, unknown: current.unknown };
    const before = baseline.counts.find((each) => each.node === node);
    if (before === undefined || 'unknown' in before) {
      return { node, uses: null, atLeast: false, unknown: 'it could not be read when the count began' };
    }
    const restarted = before.startedAtMs !== current.startedAtMs || current.count < before.count;
    return { node, uses: restarted ? current.count : current.count - before.count, atLeast: restarted };
  });
}

/**
 * Those that used a token of the former key: one that was issued before the switch. What an API server notes of a token that was issued
 * later is as slow a client, but not one that this rotation can harm.
 */
export function slowClientsOf(
  uses: readonly StaleTokenUse[],
  sinceMs: number,
  switchedAtMs: number,
): Pick<SlowClientReport, 'clients' | 'leftOut'> {
  const harmful = uses.filter(({ usedAtMs, issuedAtMs }) => usedAtMs >= sinceMs && issuedAtMs <= switchedAtMs);
  const clients = [...Map.groupBy(harmful, ({ subject }) => subject)].map(([subject, of]) => {
    const last = of.reduce((latest, use) => (use.usedAtMs > latest.usedAtMs ? use : latest));
    return {
      subject,
      uses: of.length,
      lastUsedAt: new Date(last.usedAtMs).toISOString(),
      tokenIssuedAt: new Date(last.issuedAtMs).toISOString(),
    };
  });
  const busiest = clients.toSorted((a, b) => b.uses - a.uses || a.subject.localeCompare(b.subject));
  return { clients: busiest.slice(0, MAX_CLIENTS), leftOut: Math.max(0, busiest.length - MAX_CLIENTS) };
}

/**
 * Whether somebody may still live on a token of the former key. Audit logs that cover all API servers and all of the time tell it exactly; without
 * them every stale token counts, since a counter names no key.
 */
export function areClientsSlow({ increases, auditLogs, clients, since }: SlowClientReport): boolean {
  if (clients.length > 0) return true;
  const covered = increases.every(({ node }) =>
    auditLogs.some((log) => log.node === node && log.from !== null && Date.parse(log.from) <= Date.parse(since)),
  );
  return !(covered && increases.length > 0) && increases.some(({ uses }) => uses !== null && uses > 0);
}

/** A sentence for a proof, a status or a hold. */
export function describeSlowClients({ since, increases, auditLogs, clients, leftOut }: SlowClientReport): string {
  const counts = increases.map(({ node, uses, atLeast, unknown }) =>
    uses === null ? `${node} not available (${unknown ?? ''})` : `${node} ${atLeast ? 'at least ' : ''}${uses}`,
  );
  const named = clients.slice(0, 5).map(({ subject, uses }) => `${subject} (${uses})`);
  const more = clients.length + leftOut - named.length;
  const logs = auditLogs.map(
    ({ node, from, unknown }) => `${node} ${from === null ? (unknown ?? 'empty') : `from ${from}`}`,
  );
  return [
    `requests with tokens that their clients did not reload, since ${since}: ${counts.join(', ') || 'not available'}`,
    ...(named.length === 0
      ? []
      : [`with tokens of the former key: ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`]),
    ...(logs.length === 0 ? [] : [`audit logs read: ${logs.join(', ')}`]),
  ].join('; ');
}
