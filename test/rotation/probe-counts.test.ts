import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeCounts, type ProbeCounts } from '../../src/rotation/probe-counts.ts';

const count = fc.nat({ max: 1000 });
const time = fc
  .date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true })
  .map((date) => date.toISOString());
const anyCounts: fc.Arbitrary<ProbeCounts> = fc.record({
  startedAt: time,
  endedAt: time,
  checks: count,
  accepted: count,
  rejected: count,
  unreachable: count,
  byParty: fc.dictionary(
    fc.constantFrom('node-1', 'node-2', 'relying party'),
    fc.record({ checks: count, rejected: count, unreachable: count }),
  ),
  acceptedByKid: fc.dictionary(fc.constantFrom('a', 'b'), count),
  rejections: fc.array(
    fc.record({
      at: time,
      mintedBy: fc.constant('node-1'),
      kid: fc.constantFrom('a', 'b'),
      askedOf: fc.constant('node-2'),
      reason: fc.string(),
    }),
    { maxLength: 20 },
  ),
});

describe('two spans of probing', () => {
  it('add up, whichever two are merged first', () => {
    fc.assert(
      fc.property(anyCounts, anyCounts, anyCounts, (a, b, c) => {
        expect(mergeCounts(mergeCounts(a, b), c)).toEqual(mergeCounts(a, mergeCounts(b, c)));
      }),
    );
  });

  it('lose no count, name no party twice, and keep the first 20 rejections', () => {
    fc.assert(
      fc.property(anyCounts, anyCounts, (a, b) => {
        const sum = mergeCounts(a, b);
        for (const kind of ['checks', 'accepted', 'rejected', 'unreachable'] as const) {
          expect(sum[kind]).toBe(a[kind] + b[kind]);
        }
        for (const party of ['node-1', 'node-2', 'relying party']) {
          const rejected = (a.byParty[party]?.rejected ?? 0) + (b.byParty[party]?.rejected ?? 0);
          expect(sum.byParty[party]?.rejected ?? 0).toBe(rejected);
        }
        for (const kid of ['a', 'b']) {
          expect(sum.acceptedByKid[kid] ?? 0).toBe((a.acceptedByKid[kid] ?? 0) + (b.acceptedByKid[kid] ?? 0));
        }
        expect(sum.rejections).toEqual([...a.rejections, ...b.rejections].slice(0, 20));
        expect(sum.startedAt <= a.startedAt && sum.startedAt <= b.startedAt).toBe(true);
        expect(sum.endedAt >= a.endedAt && sum.endedAt >= b.endedAt).toBe(true);
      }),
    );
  });

  it('leave both as they were', () => {
    fc.assert(
      fc.property(anyCounts, anyCounts, (a, b) => {
        const before = JSON.stringify([a, b]);
        mergeCounts(a, b);
        expect(JSON.stringify([a, b])).toBe(before);
      }),
    );
  });

  it('are the second where there was no first', () => {
    fc.assert(
      fc.property(anyCounts, (counts) => {
        expect(mergeCounts(null, counts)).toEqual(counts);
      }),
    );
  });
});
