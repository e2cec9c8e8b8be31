// What the demo tells before and after a rotation.
import { renderProbes } from '../cli/render-status.ts';
import { kidsOf } from '../jwks/jwks.ts';
import type { AuditRecord } from '../rotation/audit.ts';
import { formatDuration } from '../rotation/duration.ts';

const SERVICE_ACCOUNT_FLAGS = ['service-account-key-file', 'service-account-signing-key-file'] as const;

export interface NodeFlags {
  readonly node: string;
  readonly flags: ReadonlyMap<string, readonly (string | null)[]>;
}

export function renderFlags(nodes: readonly NodeFlags[], jwks: string): string {
  const lines = nodes.flatMap(({ node, flags }) =>
    SERVICE_ACCOUNT_FLAGS.flatMap((flag) =>
      (flags.get(flag) ?? []).map((value) => `  ${node}  --${flag}=${value ?? ''}`),
    ),
  );
  return [...lines, ...kidsOf(jwks).map((kid) => `  JWKS    ${kid}`)].join('\n');
}

/** The audit record for people: the record itself is a file and the workflow's result. */
export function renderAudit(audit: AuditRecord): string {
  const tookMs = Date.parse(audit.endedAt) - Date.parse(audit.startedAt);
  const waitedMs = audit.waits.reduce((sum, { from, until }) => sum + Date.parse(until) - Date.parse(from), 0);
  return [
    `Audit of rotation ${audit.rotationId}: ${audit.outcome} in ${formatDuration(tookMs)}, ${formatDuration(waitedMs)} of it declared waits`,
    `  reason: ${audit.reason}; requested by: ${audit.requestedBy}; started by: ${audit.startedBy}`,
    ...audit.keys.map(({ kid, role, version }) => `  key ${kid} (version ${version}): ${role}`),
    ...audit.steps.map(({ id, proof }) => `  ${id.padEnd(34)} ${proof}`),
    ...audit.waits.map(({ reason, explanation }) => `  ${reason}: ${explanation}`),
    ...(audit.probes === null ? [] : [`  ${renderProbes(audit.probes)}`]),
  ].join('\n');
}
