// Adds up what token probes saw.
import type { MintedToken, Verdict } from '../api-servers/port.ts';
import type { Kid } from '../rotation/key.ts';
import { MAX_REJECTIONS } from '../rotation/probe-counts.ts';
import type { PartyCounts, ProbeCounts, ProbeRejection } from '../rotation/probe-counts.ts';

const none: PartyCounts = { checks: 0, rejected: 0, unreachable: 0 };

export class ProbeTally {
  readonly #now: () => number;
  readonly #startedAt: string;
  readonly #byParty = new Map<string, PartyCounts>();
  readonly #acceptedByKid = new Map<Kid, number>();
  readonly #rejections: ProbeRejection[] = [];

  /** @param now ms since the epoch */
  constructor(now: () => number) {
    this.#now = now;
    this.#startedAt = new Date(now()).toISOString();
  }

  add(askedOf: string, mintedBy: string, token: MintedToken, verdict: Verdict): void {
    const before = this.#byParty.get(askedOf) ?? none;
    this.#byParty.set(askedOf, {
      checks: before.checks + 1,
      rejected: before.rejected + (verdict.outcome === 'rejected' ? 1 : 0),
      unreachable: before.unreachable + (verdict.outcome === 'unreachable' ? 1 : 0),
    });
    if (verdict.outcome === 'accepted') {
      this.#acceptedByKid.set(token.kid, (this.#acceptedByKid.get(token.kid) ?? 0) + 1);
    }
    if (verdict.outcome === 'rejected' && this.#rejections.length < MAX_REJECTIONS) {
      const at = new Date(this.#now()).toISOString();
      this.#rejections.push({ at, mintedBy, kid: token.kid, askedOf, reason: verdict.reason });
    }
  }

  /** What was seen so far; JSON only, no tokens. */
  counts(): ProbeCounts {
    const parties = [...this.#byParty.values()];
    const sum = (count: (party: PartyCounts) => number): number =>
      parties.reduce((total, party) => total + count(party), 0);
    const [checks, rejected, unreachable] = [
      sum((party) => party.checks),
      sum((party) => party.rejected),
      sum((party) => party.unreachable),
    ];
    return {
      startedAt: this.#startedAt,
      endedAt: new Date(this.#now()).toISOString(),
      checks,
      accepted: checks - rejected - unreachable,
      rejected,
      unreachable,
      byParty: Object.fromEntries(this.#byParty),
      acceptedByKid: Object.fromEntries(this.#acceptedByKid),
      rejections: [...this.#rejections],
    };
  }
}
