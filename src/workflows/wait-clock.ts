// From when each wait counts and when it ends. State, not timers: replay computes the same ends.
import type { WaitEnds } from '../activities/contract.ts';
import type { PlannedWaits, WaitType } from '../rotation/plan.ts';

export class WaitClock {
  private readonly from: Partial<Record<WaitType, string>> = {};
  private waits: PlannedWaits;

  constructor(waits: PlannedWaits) {
    this.waits = waits;
  }

  /** The wait counts from this moment, RFC 3339. */
  begin(type: WaitType, from: string): void {
    this.from[type] = from;
  }

  /** Waits that have begun end when they would have ended had they been so long from the start. */
  change(waits: PlannedWaits): void {
    this.waits = waits;
  }

  /** RFC 3339; null where the wait has not begun. */
  end(type: WaitType): string | null {
    const from = this.from[type];
    return from === undefined ? null : new Date(Date.parse(from) + this.lengthMs(type)).toISOString();
  }

  ends(): WaitEnds {
    const ends: Partial<Record<WaitType, string>> = {};
    for (const type of ['relyingParties', 'drain', 'drainNext', 'kubelet'] as const) {
      const end = this.end(type);
      if (end !== null) ends[type] = end;
    }
    return ends;
  }

  /** The arithmetic. */
  explain(type: WaitType): string {
    return this.planned(type).explanation;
  }

  /** Why less than computed was accepted. */
  override(type: WaitType): string | undefined {
    const { relyingParties, drain } = this.waits;
    if (type === 'relyingParties') return relyingParties.override;
    return type === 'kubelet' ? undefined : drain.override;
  }

  private lengthMs(type: WaitType): number {
    return this.planned(type).ms;
  }

  private planned(type: WaitType): { readonly ms: number; readonly explanation: string } {
    const { relyingParties, drain, kubelet } = this.waits;
    if (type === 'relyingParties') return relyingParties;
    // Only a plan with that wait begins it.
    if (type === 'kubelet') return kubelet ?? { ms: 0, explanation: '' };
    return { ms: drain.totalMs, explanation: drain.explanation };
  }
}
