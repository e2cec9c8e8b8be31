// What token probes counted. JSON only; holds no token.
import type { Kid } from './key.ts';

export interface ProbeRejection {
  /** RFC 3339 */
  readonly at: string;
  /** Node whose API server minted the token. */
  readonly mintedBy: string;
  readonly kid: Kid;
  /** Node, or `relying party`. */
  readonly askedOf: string;
  readonly reason: string;
}

export interface PartyCounts {
  readonly checks: number;
  readonly rejected: number;
  readonly unreachable: number;
}

export interface ProbeCounts {
  readonly startedAt: string;
  readonly endedAt: string;
  /** Verdicts of all kinds. */
  readonly checks: number;
  readonly accepted: number;
  /** A valid token was refused. */
  readonly rejected: number;
  /** The asked party did not answer: says nothing about the token. */
  readonly unreachable: number;
  /** By node or `relying party`. */
  readonly byParty: Readonly<Record<string, PartyCounts>>;
  /** Accepted checks by the key that signed the token. */
  readonly acceptedByKid: Readonly<Record<Kid, number>>;
  /** The first ones, at most MAX_REJECTIONS. */
  readonly rejections: readonly ProbeRejection[];
}

export const MAX_REJECTIONS = 20;

/** The sum of two spans of probing. */
export function mergeCounts(a: ProbeCounts | null, b: ProbeCounts): ProbeCounts {
  if (a === null) return b;
  const byParty: Record<string, PartyCounts> = { ...a.byParty };
  for (const [party, counts] of Object.entries(b.byParty)) {
    const before = byParty[party] ?? { checks: 0, rejected: 0, unreachable: 0 };
    byParty[party] = {
      checks: before.checks + counts.checks,
      rejected: before.rejected + counts.rejected,
      unreachable: before.unreachable + counts.unreachable,
    };
  }
  const acceptedByKid: Record<Kid, number> = { ...a.acceptedByKid };
  for (const [kid, accepted] of Object.entries(b.acceptedByKid))
    acceptedByKid[kid] = (acceptedByKid[kid] ?? 0) + accepted;
  return {
    startedAt: a.startedAt < b.startedAt ? a.startedAt : b.startedAt,
    endedAt: a.endedAt > b.endedAt ? a.endedAt : b.endedAt,
    checks: a.checks + b.checks,
    accepted: a.accepted + b.accepted,
    rejected: a.rejected + b.rejected,
    unreachable: a.unreachable + b.unreachable,
    byParty,
    acceptedByKid,
    rejections: [...a.rejections, ...b.rejections].slice(0, MAX_REJECTIONS),
  };
}
