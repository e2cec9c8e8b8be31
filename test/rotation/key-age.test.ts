// How old key and rotation are, from the record in the cluster.
import { describe, expect, test } from 'vitest';
import {
  activeKeySince,
  formerTimesOf,
  judgeKeyAge,
  judgeLastRotation,
  keyAges,
  lastRotationEndedAt,
} from '../../src/rotation/key-age.ts';
import type { RotationRecord } from '../../src/rotation/record.ts';

function record(changes: Partial<RotationRecord> = {}): RotationRecord {
  return {
    rotationId: 'r2',
    keyVersion: 3,
    startedAt: '2026-07-08T02:00:00Z',
    former: { kid: 'old', alg: 'RS256', publicPem: 'PEM' },
    next: { kid: 'new', alg: 'RS256' },
    layouts: [],
    milestones: {},
    ...changes,
  };
}

const verified = { milestones: { verifiedAt: '2026-07-08T04:00:00Z' } };
const before = { formerTimes: { activeKeySince: '2026-04-08T04:00:00Z', rotationEndedAt: '2026-04-09T05:00:00Z' } };
const completed = { ended: { at: '2026-07-09T05:00:00Z', outcome: 'completed' } } as const;
const rolledBack = { ended: { at: '2026-07-08T06:00:00Z', outcome: 'rolled-back' } } as const;

describe('since when the active key signs, and when a rotation last ended', () => {
  test.for([
    ['nothing on record', null, null, null],
    [
      'completed: since it was verified, not since the drain was over',
      record({ ...verified, ...before, ...completed }),
      '2026-07-08T04:00:00Z',
      '2026-07-09T05:00:00Z',
    ],
    [
      'completed, of a Keyturn that kept no milestone',
      record(completed),
      '2026-07-09T05:00:00Z',
      '2026-07-09T05:00:00Z',
    ],
    [
      'rolled back: the former key, since the rotation before',
      record({ ...before, ...rolledBack }),
      '2026-04-08T04:00:00Z',
      '2026-07-08T06:00:00Z',
    ],
    [
      'rolled back where a milestone was left behind',
      record({ ...verified, ...before, ...rolledBack }),
      '2026-04-08T04:00:00Z',
      '2026-07-08T06:00:00Z',
    ],
    [
      'the first one, rolled back: the key is as old as before, unknown',
      record(rolledBack),
      null,
      '2026-07-08T06:00:00Z',
    ],
    [
      'under way, not verified: the former key and the rotation before',
      record(before),
      '2026-04-08T04:00:00Z',
      '2026-04-09T05:00:00Z',
    ],
    [
      'under way, draining: the new key; no rotation has ended since',
      record({ ...verified, ...before }),
      '2026-07-08T04:00:00Z',
      '2026-04-09T05:00:00Z',
    ],
    ['the first one, under way', record(), null, null],
    ['the first one, draining', record(verified), '2026-07-08T04:00:00Z', null],
  ] as const)('%s', ([, given, keySince, rotationEnded]) => {
    expect(activeKeySince(given)).toBe(keySince);
    expect(lastRotationEndedAt(given)).toBe(rotationEnded);
  });

  test('the next rotation carries both on, so that they are told while it runs', () => {
    const last = record({ ...verified, ...completed });
    const next = record({ rotationId: 'r3', formerTimes: formerTimesOf(last) });
    expect(activeKeySince(next)).toBe(activeKeySince(last));
    expect(lastRotationEndedAt(next)).toBe(lastRotationEndedAt(last));
    expect(formerTimesOf(null)).toEqual({});
  });
});

describe('against the policy', () => {
  const DAY = 86_400_000;
  const aged = (days: number) =>
    keyAges(record({ ...verified, ...completed }), 105 * DAY, Date.parse('2026-07-08T04:00:00Z') + days * DAY);

  test.for([
    [105, 'fresh', '105d old; policies.maxKeyAge is 105d'],
    [106, 'overdue', '106d old, overdue by 1d: policies.maxKeyAge is 105d'],
    [-1, 'fresh', '0s old; policies.maxKeyAge is 105d'],
  ] as const)('a key of %i days is %s', ([days, verdict, sentence]) => {
    expect(judgeKeyAge(aged(days))).toEqual({ verdict, sentence });
  });

  test('a rotation that ended too long ago is overdue too', () => {
    expect(judgeLastRotation(aged(100))).toEqual({ verdict: 'fresh', sentence: 'ended 98d 23h ago' });
    expect(judgeLastRotation(aged(107)).verdict).toBe('overdue');
  });

  test('what is not known is not fresh', () => {
    const none = keyAges(null, 105 * DAY, 0);
    expect(judgeKeyAge(none)).toEqual({
      verdict: 'unknown',
      sentence: 'age unknown: no completed rotation on record; policies.maxKeyAge is 105d',
    });
    expect(judgeLastRotation(none)).toEqual({ verdict: 'unknown', sentence: 'no rotation on record' });
  });
});
