// What a run has done so far, kept for the status and for the audit record.
import type { AuditHold, AuditRecord, AuditStep, AuditWait } from '../rotation/audit.ts';
import type { Phase } from '../rotation/phase.ts';
import type { StepResult } from '../activities/contract.ts';

interface Span {
  readonly phase: Phase;
  readonly startedAt: string;
  endedAt: string;
}

export class Journal {
  readonly startedAt = now();
  readonly steps: AuditStep[] = [];
  readonly waits: AuditWait[] = [];
  readonly holds: AuditHold[] = [];
  private readonly spans: Span[] = [];

  /** The phase is entered, or goes on. */
  enter(phase: Phase): void {
    const last = this.spans.at(-1);
    if (last?.phase === phase) return;
    if (last !== undefined) last.endedAt = now();
    this.spans.push({ phase, startedAt: now(), endedAt: now() });
  }

  did(step: { readonly id: string; readonly phase: Phase }, startedAt: string, result: StepResult): void {
    this.steps.push({
      id: step.id,
      phase: step.phase,
      startedAt,
      endedAt: now(),
      changed: result.changed,
      proof: result.proof,
      ...(result.restartMs === undefined ? {} : { restartMs: result.restartMs }),
      ...(result.publicationGapMs === undefined ? {} : { publicationGapMs: result.publicationGapMs }),
      ...(result.wrappingKeyId === undefined ? {} : { wrappingKeyId: result.wrappingKeyId }),
    });
  }

  /** The phases in the order in which they were entered, the last closed now. */
  phases(): AuditRecord['phases'] {
    const last = this.spans.at(-1);
    if (last !== undefined) last.endedAt = now();
    return this.spans.map((span) => ({ ...span }));
  }
}

/** Workflow time, RFC 3339: the SDK makes Date deterministic. */
export function now(): string {
  return new Date().toISOString();
}
