// What workflows ask of activities: types only, so that workflow code may import it. Everything here stands in the history: no secrets.
import type { AuditRecord } from '../rotation/audit.ts';
import type { DrainPolicy } from '../rotation/drain.ts';
import type { GateName } from '../rotation/gates.ts';
import type { GuardName, GuardPolicies } from '../rotation/guards.ts';
import type { IssuerActionType, IssuerMigration } from '../rotation/issuer-migration.ts';
import type { KeyLayout } from '../rotation/key-layout.ts';
import type { KeyRef } from '../rotation/key.ts';
import type { Notification } from '../rotation/notification.ts';
import type { LegacyTokenReport } from '../rotation/legacy-token-report.ts';
import type { TokenLifetimeFlags } from '../rotation/observation.ts';
import type { ClusterActionType, NodeActionType, Plan, WaitType } from '../rotation/plan.ts';
import type { ProbeCounts } from '../rotation/probe-counts.ts';
import type { SlowClientReport } from '../rotation/slow-clients.ts';
import type { WorkloadName } from '../rotation/workload.ts';

/** What a person or a schedule may say when starting a rotation. Every field is optional; absent ones come from keyturn.yaml. */
export interface RotationInput {
  /** Name in keyturn.yaml; may be left out where only one is configured. */
  readonly cluster?: string;
  /** Stands in the audit record. */
  readonly reason?: string;
  /** Who asks, as the client says. */
  readonly requestedBy?: string;
  readonly drain?: DrainPolicy;
  /** ms */
  readonly relyingPartyCacheMs?: number;
  readonly allowSingleApiServer?: boolean;
  readonly legacyTokens?: GuardPolicies['legacyTokens'];
  readonly gates?: readonly GateName[];
}

export type Preflight =
  | {
      readonly outcome: 'ready';
      readonly cluster: string;
      readonly rotationId: string;
      readonly plan: Plan;
      readonly gates: readonly GateName[];
      readonly policies: GuardPolicies;
      /** For a drain that is changed while the rotation runs. */
      readonly tokenLifetimes: TokenLifetimeFlags;
      readonly former: KeyRef;
      readonly keyVersion: number;
      /** Steps that a former run of this rotation has done; empty where this is a new one. */
      readonly doneBefore: readonly string[];
      readonly takenUp: boolean;
      /** Of a rotation that was taken up. */
      readonly next: KeyRef | null;
      readonly publishedAt: string | null;
      readonly verifiedAt: string | null;
      /** False where a former run has passed the point of no return. */
      readonly canRollBack: boolean;
      readonly startedBy: string;
      readonly warnings: readonly string[];
      /** Whether Temporal knows Keyturn's search attributes. */
      readonly searchable: boolean;
    }
  | {
      /** Another run holds the cluster. */
      readonly outcome: 'locked';
      readonly cluster: string;
      readonly message: string;
      readonly startedBy: string;
      readonly searchable: boolean;
    };

/** Ends of waits that have begun, RFC 3339. */
export type WaitEnds = Readonly<Partial<Record<WaitType, string>>>;

export interface StepInput {
  readonly cluster: string;
  readonly rotationId: string;
  readonly former: KeyRef;
  readonly keyVersion: number;
  /** Node of a node action; null for the others. */
  readonly node: string | null;
  /** Of a restart. */
  readonly workload?: WorkloadName;
  readonly guards: readonly GuardName[];
  readonly waitEnds: WaitEnds;
  readonly policies: GuardPolicies;
  /** As the plan has it; absent in plans of before there was a choice. */
  readonly keyLayout?: KeyLayout;
  /** As the plan has it. */
  readonly migration?: IssuerMigration;
}

export interface StepResult {
  /** False where the cluster already was as the step wants it. */
  readonly changed: boolean;
  readonly proof: string;
  /** RFC 3339, by the worker's clock, when the proof was seen. */
  readonly at: string;
  readonly restartMs?: number;
  /** Of the steps of a migration: the wait that counts from `at`. */
  readonly begins?: 'relyingParties' | 'drain';
  /** Of stageKey, and of followRotation. */
  readonly next?: KeyRef;
  /** Of followRotation, where the key was published by it: since when it is public, RFC 3339. */
  readonly publishedAt?: string;
  /** ms from the first sight of the new key at an API server to its sight at the public URL. */
  readonly publicationGapMs?: number;
  /** Of stageKey: what encrypts the key at rest, where something does. */
  readonly wrappingKeyId?: string;
  /** Of verifyWithPod, where kubelet has still to bring a token of the new key: when the pod's present one was minted. RFC 3339 */
  readonly podTokenSince?: string;
  /** Of the steps that look for them. */
  readonly legacyTokenReport?: LegacyTokenReport;
  /** Of settleLegacyTokens. */
  readonly slowClients?: SlowClientReport;
}

export interface ProbeInput {
  readonly cluster: string;
  readonly rotationId: string;
}

/** Name of an activity that performs a step. */
export type StepActivity = ClusterActionType | IssuerActionType | NodeActionType | 'restartWorkload';

export type StepActivities = Readonly<Record<StepActivity, (input: StepInput) => Promise<StepResult>>>;

export interface RotationActivities extends StepActivities {
  /** Takes the lock, observes everything, refuses with all reasons at once, computes the plan. */
  preflight(input: RotationInput): Promise<Preflight>;
  /** The same for a migration to another issuer. */
  prepareIssuerMigration(input: RotationInput): Promise<Preflight>;
  /** Evaluates guards of a wait or of a step that has no activity of its own. */
  checkGuards(input: StepInput): Promise<StepResult>;
  /** Runs until cancelled, then gives its counts; fails with TOKEN_REJECTED at the first rejection, its counts in the details. */
  probeTokens(input: ProbeInput): Promise<ProbeCounts>;
  /** Writes the audit record outside of Temporal, records the end in the cluster and gives the lock back. */
  conclude(input: { readonly cluster: string; readonly audit: AuditRecord }): Promise<void>;
  /** Tells operators outside of Temporal. Nobody waits for it: that it fails, for good or for now, changes nothing for the rotation. */
  notify(notification: Notification): Promise<void>;
}
