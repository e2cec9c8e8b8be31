// What can be seen of a rotation while it runs.
import type { Decision, RunState } from './decisions.ts';
import type { GkectlStatus } from './gkectl-status.ts';
import type { ChosenKeyLayout } from './key-layout.ts';
import type { KeyringEntry } from './keyring.ts';
import type { LegacyTokenReport } from './legacy-token-report.ts';
import type { Phase } from './phase.ts';
import type { PlannedWaits } from './plan.ts';
import type { SlowClientReport } from './slow-clients.ts';

export type StepState = 'todo' | 'running' | 'done' | 'undone';

export interface StepStatus {
  readonly id: string;
  readonly phase: Phase;
  readonly summary: string;
  readonly state: StepState;
}

/** Something that the rotation waits for: a value, not a failure. */
export interface WaitStatus {
  readonly reason: string;
  /** RFC 3339; null where a person ends the wait. */
  readonly until: string | null;
}

export interface HeldStatus {
  /** RFC 3339 */
  readonly since: string;
  readonly step: string;
  /** An ErrorCode. */
  readonly code: string;
  readonly message: string;
}

export interface RotationStatus {
  readonly cluster: string;
  readonly rotationId: string;
  readonly state: RunState;
  readonly phase: Phase;
  readonly keys: readonly KeyringEntry[];
  readonly steps: readonly StepStatus[];
  readonly wait: WaitStatus | null;
  readonly held: HeldStatus | null;
  readonly waits: PlannedWaits | null;
  readonly possible: readonly Decision[];
  readonly gkectl: GkectlStatus | null;
  /** As they were seen last. */
  readonly legacyTokens: LegacyTokenReport | null;
  readonly slowClients: SlowClientReport | null;
  /** What the platform makes impossible, in sentences; absent where there is nothing. */
  readonly limits?: readonly string[];
  /** Absent where Keyturn does not change the nodes itself. */
  readonly keyLayout?: ChosenKeyLayout;
}
