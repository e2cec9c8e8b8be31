// The audit record: what a rotation did, who asked for it, what was seen as proof. JSON, no secrets; it is the workflow's result.
import type { Decision } from './decisions.ts';
import type { KeyringEntry } from './keyring.ts';
import type { LegacyTokenReport } from './legacy-token-report.ts';
import type { Phase } from './phase.ts';
import type { PlannedWaits } from './plan.ts';
import type { ProbeCounts } from './probe-counts.ts';
import type { SlowClientReport } from './slow-clients.ts';

export type Outcome =
  | 'completed'
  | 'rolled-back'
  /** Another run holds the cluster; nothing was changed. */
  | 'not-started';

export interface AuditStep {
  readonly id: string;
  readonly phase: Phase;
  readonly startedAt: string;
  readonly endedAt: string;
  /** False where the cluster already was as the step wants it. */
  readonly changed: boolean;
  /** What was seen that proves the step, in words. */
  readonly proof: string;
  /** ms in which the node's component was restarting, where one was. */
  readonly restartMs?: number;
  /** ms for which relying parties could not know the new key though API servers had it, where the platform leaves no other order. */
  readonly publicationGapMs?: number;
  /** Of the key's staging: what encrypted it at rest, e.g. `transit/keyturn:v3`. */
  readonly wrappingKeyId?: string;
}

export interface AuditWait {
  readonly reason: string;
  readonly from: string;
  readonly until: string;
  /** The arithmetic. */
  readonly explanation: string;
  /** Why a shorter wait than computed was accepted. */
  readonly override?: string;
}

export interface AuditDecision {
  readonly decision: Decision | 'cancel';
  readonly at: string;
  readonly reason: string;
  /** As given by the sender, who could have written anything: Temporal does not prove it. */
  readonly by: string;
  readonly phase: Phase;
}

export interface AuditHold {
  readonly step: string;
  readonly code: string;
  readonly message: string;
  readonly from: string;
  readonly until: string | null;
}

export interface AuditRecord {
  readonly version: 1;
  readonly cluster: string;
  readonly rotationId: string;
  readonly outcome: Outcome;
  readonly reason: string;
  /** As the request says. */
  readonly requestedBy: string;
  /** `identity` of the Temporal client that started the run: supplied by that client. */
  readonly startedBy: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly startedAt: string;
  readonly endedAt: string;
  /** Set where an earlier run's rotation was taken up. */
  readonly takenUp: boolean;
  readonly keys: readonly KeyringEntry[];
  readonly plannedWaits: PlannedWaits | null;
  /** Of a migration to another issuer, in which no key changes. */
  readonly issuers?: { readonly from: string; readonly to: string };
  readonly phases: readonly { readonly phase: Phase; readonly startedAt: string; readonly endedAt: string }[];
  readonly steps: readonly AuditStep[];
  readonly waits: readonly AuditWait[];
  readonly decisions: readonly AuditDecision[];
  readonly holds: readonly AuditHold[];
  readonly probes: ProbeCounts | null;
  /** As they were seen last: what was refreshed, what died and by whose word; null where nobody looked. */
  readonly legacyTokens: LegacyTokenReport | null;
  /** Who went on with tokens of the former key, as seen before Pruning; null where the rotation did not come so far. */
  readonly slowClients: SlowClientReport | null;
  /** Warnings of Preflight, and why a run did not start. */
  readonly notes: readonly string[];
}
