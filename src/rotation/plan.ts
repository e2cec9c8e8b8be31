// What a plan is: ordered steps with guards and undo, as data. The workflow interprets it, `keyturn plan` prints it.
import type { Capabilities } from './capabilities.ts';
import type { DrainComputation } from './drain.ts';
import type { GuardName } from './guards.ts';
import type { IssuerActionType, IssuerMigration } from './issuer-migration.ts';
import type { ChosenKeyLayout } from './key-layout.ts';
import type { RefreshWait } from './kubelet-refresh.ts';
import type { LegacyTokenReport } from './legacy-token-report.ts';
import type { Phase } from './phase.ts';
import type { ProbePodPlan } from './probe-pod-plan.ts';
import type { WorkloadName } from './workload.ts';

/** What can be done to all of a cluster in one step. */
export type ClusterActionType =
  | 'stageKey'
  | 'releaseNodes'
  | 'recordRotation'
  | 'discardKey'
  | 'publishKey'
  | 'withdrawKey'
  | 'beginRotation'
  | 'followRotation'
  | 'takeBackRotation'
  | 'forgetNext'
  | 'forgetFormer'
  | 'verify'
  | 'startProbePod'
  | 'removeProbePod'
  | 'verifyWithPod'
  | 'provePodRefresh'
  | 'refresh'
  | 'restoreLegacyTokens'
  | 'settleLegacyTokens'
  | 'pruneKey'
  | 'republishFormer'
  | 'retire';

/** What is done to one node at a time. */
export type NodeActionType =
  | 'backUp'
  | 'removeBackUp'
  | 'trust'
  | 'distrust'
  | 'sign'
  | 'signWithFormer'
  | 'switchControllerManager'
  | 'restoreControllerManager'
  | 'untrust'
  | 'settleControllerManager';

/**
 * Waits take no worker: they are durable timers. `drainNext` is part of a roll back: the drain of the new key's tokens; `kubelet` is over at
 * once where the probe pod's token is one of the new key already.
 */
export type WaitType = 'relyingParties' | 'drain' | 'drainNext' | 'kubelet';

export type Action =
  | { readonly type: ClusterActionType | IssuerActionType }
  | { readonly type: NodeActionType; readonly node: string }
  | { readonly type: 'restartWorkload'; readonly workload: WorkloadName }
  | { readonly type: 'wait'; readonly wait: WaitType };

/** What takes a step back. */
export interface Undo {
  readonly summary: string;
  readonly action: Action;
  readonly guards: readonly GuardName[];
}

export interface Step {
  /** Unique in the plan and stable, e.g. `trust/node-1`. */
  readonly id: string;
  readonly phase: Phase;
  /** One line for people, shown on the timeline. */
  readonly summary: string;
  readonly action: Action;
  /** What must be true when the step starts, each time it starts. */
  readonly guards: readonly GuardName[];
  /** What takes the step back; null where there is nothing to take back. */
  readonly undo: Undo | null;
}

/** The waits, with their length and why. ms. */
export interface PlannedWaits {
  /** `override`: why less was accepted than the JWKS may be cached. */
  readonly relyingParties: { readonly ms: number; readonly explanation: string; readonly override?: string };
  readonly drain: DrainComputation;
  /** Where a probe pod is to be shown with a refreshed token. */
  readonly kubelet?: RefreshWait;
}

export interface Plan {
  /** Of this data's shape. */
  readonly version: 1;
  readonly nodes: readonly string[];
  readonly waits: PlannedWaits;
  /** Phases in which token probes run beside the steps, from the first to the last named. */
  readonly probed: readonly (readonly [Phase, Phase])[];
  /** Phases that cannot be paused, since the platform goes on by itself. Default: none. */
  readonly unpausable?: readonly Phase[];
  /** As in `PlanInput`. */
  readonly publishing?: 'by-trusting';
  /** What the platform makes impossible, in sentences. Default: nothing. */
  readonly limits?: readonly string[];
  /** From this phase on there is no way back. */
  readonly pointOfNoReturn: Phase;
  readonly steps: readonly Step[];
  /** As Preflight saw them; absent in plans of before this was looked for. */
  readonly legacyTokens?: LegacyTokenReport;
  /** How the nodes are changed; absent in plans of before there was a choice. */
  readonly keyLayout?: ChosenKeyLayout;
  /** Of a plan that changes the issuer, not the key. */
  readonly migration?: IssuerMigration;
}

export interface PlanInput {
  readonly capabilities: Capabilities;
  /** `by-trusting`: the API servers serve the JWKS themselves. Default: it is written somewhere, before anyone trusts. */
  readonly publishing?: 'by-trusting';
  /** Control-plane nodes in the order in which they are changed. */
  readonly nodes: readonly string[];
  readonly relyingPartyCacheMs: number;
  /** Why that is accepted though the JWKS may be cached for longer. Default: it may not. */
  readonly shorterCacheBecause?: string;
  readonly drain: DrainComputation;
  /** Null where none is configured. */
  readonly probePod: ProbePodPlan | null;
  /** Restarted in Refreshing, one after the other. Default: none. */
  readonly restarts?: readonly WorkloadName[];
  readonly legacyTokens?: LegacyTokenReport;
  readonly keyLayout?: ChosenKeyLayout;
}
