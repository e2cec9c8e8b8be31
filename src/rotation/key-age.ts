// How old the active key and the last rotation are, as far as the cluster's record tells, and whether policy allows it.
import { formatDuration } from './duration.ts';
import type { FormerTimes, RotationRecord } from './record.ts';

/** Since when the key that signs now was proven to sign on every API server. RFC 3339; null where no record tells. */
export function activeKeySince(record: RotationRecord | null): string | null {
  if (record === null) return null;
  const { milestones, ended, formerTimes } = record;
  // 1. Rolled back: the former key signs, since the rotation before.
  if (ended?.outcome === 'rolled-back') return formerTimes?.activeKeySince ?? null;
  // 2. Completed, or still draining: the new key signs since Verifying. Rolling back takes this milestone away first.
  if (milestones.verifiedAt !== undefined) return milestones.verifiedAt;
  // 3. Not proven yet: the former key counts, the older of the two.
  return ended?.at ?? formerTimes?.activeKeySince ?? null;
}

/** When a rotation last came to its end. RFC 3339; null where no record tells. */
export function lastRotationEndedAt(record: RotationRecord | null): string | null {
  return record?.ended?.at ?? record?.formerTimes?.rotationEndedAt ?? null;
}

/** What a rotation that begins carries on, so that both ages can be told while it runs and after it was rolled back. */
export function formerTimesOf(record: RotationRecord | null): FormerTimes {
  const since = activeKeySince(record);
  const endedAt = lastRotationEndedAt(record);
  return {
    ...(since === null ? {} : { activeKeySince: since }),
    ...(endedAt === null ? {} : { rotationEndedAt: endedAt }),
  };
}

export interface KeyAges {
  /** ms; null: unknown */
  readonly activeKeyMs: number | null;
  /** ms since a rotation last came to its end; null: none on record */
  readonly lastRotationMs: number | null;
  /** ms */
  readonly maxKeyAgeMs: number;
}

/** Clocks differ: what seems to lie in the future is 0 old. */
export function keyAges(record: RotationRecord | null, maxKeyAgeMs: number, nowMs: number): KeyAges {
  const age = (time: string | null) => (time === null ? null : Math.max(0, nowMs - Date.parse(time)));
  return {
    activeKeyMs: age(activeKeySince(record)),
    lastRotationMs: age(lastRotationEndedAt(record)),
    maxKeyAgeMs,
  };
}

export interface AgeVerdict {
  /** `unknown` is not `fresh`: nothing proves that the key is young enough. */
  readonly verdict: 'fresh' | 'overdue' | 'unknown';
  readonly sentence: string;
}

/** The active key against the policy. */
export function judgeKeyAge({ activeKeyMs, maxKeyAgeMs }: KeyAges): AgeVerdict {
  const limit = `policies.maxKeyAge is ${formatDuration(maxKeyAgeMs)}`;
  if (activeKeyMs === null) {
    return {
      verdict: 'unknown',
      sentence: `age unknown: no completed rotation on record; ${limit}`,
    };
  }
  const age = `${formatDuration(activeKeyMs)} old`;
  if (activeKeyMs <= maxKeyAgeMs) return { verdict: 'fresh', sentence: `${age}; ${limit}` };
  return {
    verdict: 'overdue',
    sentence: `${age}, overdue by ${formatDuration(activeKeyMs - maxKeyAgeMs)}: ${limit}`,
  };
}

/** The last rotation against the policy: with a key of known age it tells that rotations begin but do not end. */
export function judgeLastRotation({ lastRotationMs, maxKeyAgeMs }: KeyAges): AgeVerdict {
  if (lastRotationMs === null) return { verdict: 'unknown', sentence: 'no rotation on record' };
  const ago = `ended ${formatDuration(lastRotationMs)} ago`;
  if (lastRotationMs <= maxKeyAgeMs) return { verdict: 'fresh', sentence: ago };
  return { verdict: 'overdue', sentence: `${ago}, more than policies.maxKeyAge of ${formatDuration(maxKeyAgeMs)}` };
}
