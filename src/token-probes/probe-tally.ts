// Counts verdicts on tokens.
import type { Verdict } from '../api-servers/port.ts';
import type { Kid } from '../rotation/key.ts';
import { MAX_REJECTIONS, type PartyCounts, type ProbeCounts, type ProbeRejection } from '../rotation/probe-counts.ts';
import type { HeldToken } from './probe-client.ts';

export class ProbeTally {
  private readonly startedAt: string;
  private readonly byParty: Record<string, PartyCounts> = {};
  private readonly acceptedByKid: Record<Kid, number> = {};
  private readonly rejections: ProbeRejection[] = [];
  private accepted = 0;

  constructor(startedAt: string) {
    this.startedAt = startedAt;
  }

  add(token: HeldToken, askedOf: string, verdict: Verdict, at: string): void {
    const { checks, rejected, unreachable } = this.byParty[askedOf] ?? { checks: 0, rejected: 0, unreachable: 0 };
    this.byParty[askedOf] = {
      checks: checks + 1,
      rejected: rejected + (verdict.outcome === 'rejected' ? 1 : 0),
      unreachable: unreachable + (verdict.outcome === 'unreachable' ? 1 : 0),
    };
    if (verdict.outcome === 'accepted') {
      this.accepted += 1;
      this.acceptedByKid[token.kid] = (this.acceptedByKid[token.kid] ?? 0) + 1;
    } else if (verdict.outcome === 'rejected' && this.rejections.length < MAX_REJECTIONS) {
      this.rejections.push({ at, mintedBy: token.mintedBy, kid: token.kid, askedOf, reason: verdict.reason });
    }
  }

  counts(endedAt: string): ProbeCounts {
    const parties = Object.values(this.byParty);
    const total = (of: keyof PartyCounts) => parties.reduce((sum, party) => sum + party[of], 0);
    return {
      startedAt: this.startedAt,
      endedAt,
      checks: total('checks'),
      accepted: this.accepted,
      rejected: total('rejected'),
      unreachable: total('unreachable'),
      byParty: { ...this.byParty },
      acceptedByKid: { ...this.acceptedByKid },
      rejections: [...this.rejections],
    };
  }
}
