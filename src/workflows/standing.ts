// Where a run stands: the one place that status, decisions and the UI's current details are read from.
import { setCurrentDetails } from '@temporalio/workflow';
import type { StepResult } from '../activities/contract.ts';
import { possibleDecisions, type RunState, type Situation } from '../rotation/decisions.ts';
import type { KeyRef } from '../rotation/key.ts';
import { toGkectlStatus } from '../rotation/gkectl-status.ts';
import { keyringOf, type KeyringEntry } from '../rotation/keyring.ts';
import type { LegacyTokenReport } from '../rotation/legacy-token-report.ts';
import type { Phase } from '../rotation/phase.ts';
import type { Plan, WaitType } from '../rotation/plan.ts';
import type { SlowClientReport } from '../rotation/slow-clients.ts';
import { statusTable } from '../rotation/status-table.ts';
import type { HeldStatus, RotationStatus, StepState, WaitStatus } from '../rotation/status.ts';

export interface RunIdentity {
  readonly cluster: string;
  readonly rotationId: string;
  readonly former: KeyRef;
  readonly keyVersion: number;
}

export class Standing {
  state: RunState = 'preflight';
  phase: Phase = 'Preflight';
  /** Id of the step under way. */
  stepId: string | null = null;
  wait: WaitStatus | null = null;
  waitType: WaitType | null = null;
  held: HeldStatus | null = null;
  next: KeyRef | null = null;
  paused = false;
  canRollBack = true;
  rollingBack = false;
  plan: Plan;
  legacyTokens: LegacyTokenReport | null;
  slowClients: SlowClientReport | null = null;
  readonly done: Set<string>;
  readonly undone = new Set<string>();
  private readonly identity: RunIdentity;

  constructor(identity: RunIdentity, plan: Plan, done: readonly string[]) {
    this.identity = identity;
    this.plan = plan;
    this.legacyTokens = plan.legacyTokens ?? null;
    this.done = new Set(done);
  }

  enter(step: { readonly id: string; readonly phase: Phase }): void {
    this.stepId = step.id;
    this.phase = step.phase;
    this.resume();
  }

  /** What a step saw of those who still need the former key. */
  learn({ legacyTokenReport, slowClients }: Pick<StepResult, 'legacyTokenReport' | 'slowClients'>): void {
    this.legacyTokens = legacyTokenReport ?? this.legacyTokens;
    this.slowClients = slowClients ?? this.slowClients;
  }

  /** Going on, forward or back. */
  resume(): void {
    this.wait = null;
    this.waitType = null;
    this.held = null;
    this.show(this.rollingBack ? 'rolling-back' : 'running');
  }

  /** From now on everything is taken back, also what an operator paused. */
  turnBack(): void {
    this.rollingBack = true;
    this.paused = false;
    this.show('rolling-back');
  }

  showWait(state: 'waiting' | 'gated' | 'paused', wait: WaitStatus): void {
    this.wait = wait;
    this.show(state);
  }

  showHeld(held: HeldStatus): void {
    this.wait = null;
    this.waitType = null;
    this.held = held;
    this.show('held');
  }

  show(state: RunState): void {
    this.state = state;
    setCurrentDetails(statusTable(this.status()));
  }

  situation(): Situation {
    const { state, phase, paused, canRollBack, rollingBack, waitType, plan } = this;
    return {
      state,
      phase,
      paused,
      canRollBack,
      rollingBack,
      wait: waitType,
      canPause: plan.unpausable?.includes(phase) !== true,
      hasDrain: plan.steps.some(({ action }) => action.type === 'wait' && action.wait === 'drain'),
    };
  }

  keys(): readonly KeyringEntry[] {
    const { former, keyVersion } = this.identity;
    if (this.next === null) return [{ ...former, role: 'active', version: keyVersion - 1 }];
    return keyringOf(this.plan, this, { former, next: this.next, nextVersion: keyVersion });
  }

  status(): RotationStatus {
    const { cluster, rotationId } = this.identity;
    const keys = this.keys();
    return {
      cluster,
      rotationId,
      state: this.state,
      phase: this.phase,
      keys,
      steps: this.plan.steps.map(({ id, phase, summary }) => ({ id, phase, summary, state: this.stepState(id) })),
      wait: this.wait,
      held: this.held,
      waits: this.plan.waits,
      possible: possibleDecisions(this.situation()),
      gkectl: toGkectlStatus(keys, this.state === 'ended' && !this.rollingBack),
      legacyTokens: this.legacyTokens,
      slowClients: this.slowClients,
      ...(this.plan.limits === undefined ? {} : { limits: this.plan.limits }),
      ...(this.plan.keyLayout === undefined ? {} : { keyLayout: this.plan.keyLayout }),
    };
  }

  private stepState(id: string): StepState {
    if (this.stepId === `undo/${id}`) return 'running';
    if (this.undone.has(id)) return 'undone';
    if (this.done.has(id)) return 'done';
    return this.stepId === id ? 'running' : 'todo';
  }
}
