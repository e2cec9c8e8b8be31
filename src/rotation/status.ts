// What can be seen of a rotation while it runs.
import type { Decision, RunState } from './decisions.ts';
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

/** The fields that `gkectl update credentials ksa-signing-key status` reports (its documentation, Google Distributed Cloud). */
export interface GkectlStatus {
  readonly status: 'True' | 'False';
  readonly reason: 'KSASigningKeyRotationCompleted' | 'KSASigningKeyRotationProcessedReason';
  /** Version of the key that signs tokens. */
  readonly tokenVersion: number;
  /** Version of the newest private key on the nodes. */
  readonly privateKeyVersion: number;
  /** Versions that are trusted. */
  readonly publicKeyVersions: readonly number[];
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
}

/** gkectl's shape of a keyring. `trusted`: versions that every API server trusts, or is being taught to. */
export function toGkectlStatus(keys: readonly KeyringEntry[], completed: boolean): GkectlStatus | null {
  const signing = keys.find(({ role }) => role === 'active');
  if (signing === undefined) return null;
  const live = keys.filter(({ role }) => role !== 'retired');
  return {
    status: completed ? 'True' : 'False',
    reason: completed ? 'KSASigningKeyRotationCompleted' : 'KSASigningKeyRotationProcessedReason',
    tokenVersion: signing.version,
    privateKeyVersion: signing.version,
    publicKeyVersions: live.map(({ version }) => version).toSorted((a, b) => a - b),
  };
}
