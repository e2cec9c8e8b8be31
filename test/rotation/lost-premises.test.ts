// What a guard has seen undone decides which waits begin anew, and what the cluster's record keeps of it.
import { describe, expect, it } from 'vitest';
import { countedFrom, lostMilestones, waitsToBeginAnew } from '../../src/rotation/lost-premises.ts';

const [BEFORE, NOW] = ['2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z'];

describe('waits that begin anew', () => {
  it.each([
    { failed: 'nextIsPublic', forward: ['relyingParties'], back: ['relyingParties'] },
    { failed: 'formerIsPublic', forward: ['relyingParties'], back: ['relyingParties'] },
    { failed: 'everyoneSignsWithNext', forward: ['drain'], back: [] },
    { failed: 'nobodySignsWithNext', forward: [], back: ['drainNext'] },
    // Which key it signed with until it was taken out, or named, nobody knows.
    { failed: 'noUnknownApiServer', forward: ['drain'], back: ['drainNext'] },
    { failed: 'othersReady', forward: [], back: [] },
  ])('after $failed', ({ failed, forward, back }) => {
    expect(waitsToBeginAnew([failed], 'forward')).toEqual(forward);
    expect(waitsToBeginAnew([failed], 'back')).toEqual(back);
  });

  it.each([
    { failed: 'nextIsPublic', forward: ['relyingParties'], back: ['relyingParties'] },
    // Whoever asked such an API server for the JWKS has it without that key.
    { failed: 'everyoneTrustsNext', forward: ['relyingParties'], back: ['relyingParties'] },
    { failed: 'everyoneTrustsFormer', forward: ['relyingParties'], back: ['relyingParties'] },
    { failed: 'noUnknownApiServer', forward: ['relyingParties', 'drain'], back: ['relyingParties', 'drainNext'] },
    { failed: 'everyoneSignsWithNext', forward: ['drain'], back: [] },
    { failed: 'othersReady', forward: [], back: [] },
  ])('where the API servers serve the JWKS, after $failed', ({ failed, forward, back }) => {
    expect(waitsToBeginAnew([failed], 'forward', 'by-trusting')).toEqual(forward);
    expect(waitsToBeginAnew([failed], 'back', 'by-trusting')).toEqual(back);
  });

  it('are each named once, whatever has failed at the same time', () => {
    const failed = ['nextIsPublic', 'formerIsPublic', 'everyoneSignsWithNext', 'noUnknownApiServer'];
    expect(waitsToBeginAnew(failed, 'forward')).toEqual(['relyingParties', 'drain']);
  });
});

describe('the record', () => {
  const proven = { publishedAt: BEFORE, verifiedAt: BEFORE };

  it.each([
    { failed: ['nextIsPublic'], lost: { keyMissingAt: NOW } },
    { failed: ['everyoneSignsWithNext'], lost: { otherSignerAt: NOW } },
    { failed: ['noUnknownApiServer'], lost: { otherSignerAt: NOW } },
    { failed: ['othersReady'], lost: {} },
  ])('keeps what is lost by $failed', ({ failed, lost }) => {
    expect(lostMilestones(failed, proven, NOW)).toEqual(lost);
    expect(lostMilestones(failed, {}, NOW)).toEqual({});
  });

  it('knows, where the API servers serve the JWKS, that one which does not trust a key does not show it', () => {
    expect(lostMilestones(['everyoneTrustsNext'], proven, NOW)).toEqual({});
    expect(lostMilestones(['everyoneTrustsNext'], proven, NOW, 'by-trusting')).toEqual({ keyMissingAt: NOW });
    expect(lostMilestones(['noUnknownApiServer'], proven, NOW, 'by-trusting')).toEqual({
      keyMissingAt: NOW,
      otherSignerAt: NOW,
    });
  });

  it('has the next run count from its own start', () => {
    expect(countedFrom(proven, NOW)).toEqual({ publishedAt: BEFORE, verifiedAt: BEFORE });
    expect(countedFrom({ ...proven, otherSignerAt: BEFORE }, NOW)).toEqual({ publishedAt: BEFORE, verifiedAt: NOW });
    expect(countedFrom({ otherSignerAt: BEFORE }, NOW)).toEqual({ publishedAt: null, verifiedAt: null });
  });
});
