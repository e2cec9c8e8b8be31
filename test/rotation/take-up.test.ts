import { describe, expect, it } from 'vitest';
import type { Milestones } from '../../src/rotation/record.ts';
import { stepsDoneBefore, stepsPerhapsStarted } from '../../src/rotation/take-up.ts';
import { planOf } from './observed-cluster.ts';

const plan = planOf(['n1']);
const ALL = plan.steps.map(({ id }) => id);
const upTo = (id: string) => ALL.slice(0, ALL.indexOf(id) + 1);
const at = '2026-01-01T00:00:00.000Z';

describe('a rotation that is taken up', () => {
  it.each<[string, Milestones, readonly string[]]>([
    ['does all again where nothing was recorded', {}, []],
    ['does all again where the key was published', { publishedAt: at }, []],
    ['does all again where every signer was proven', { publishedAt: at, verifiedAt: at }, []],
    [
      'prunes again, and does nothing of before that would publish the former key',
      { publishedAt: at, verifiedAt: at, prunedAt: at },
      upTo('settle-legacy-tokens'),
    ],
    [
      'prunes and untrusts again where Untrusting had begun',
      { publishedAt: at, verifiedAt: at, prunedAt: at, untrustingAt: at },
      upTo('settle-legacy-tokens'),
    ],
    [
      'has only Retiring left where no API server knew the former key',
      { publishedAt: at, verifiedAt: at, prunedAt: at, untrustingAt: at, untrustedAt: at },
      upTo('settle-controller-manager/n1'),
    ],
  ])('%s', (_, milestones, done) => expect(stepsDoneBefore(plan, milestones)).toEqual(done));

  it.each<[string, Milestones, readonly string[]]>([
    ['no more than Publishing where the key was not read back', {}, upTo('wait-for-relying-parties')],
    ['all up to Refreshing where the key was public', { publishedAt: at }, upTo('refresh')],
    ['all up to Pruning where every signer was proven', { publishedAt: at, verifiedAt: at }, upTo('prune-key')],
  ])('is rolled back with %s', (_, milestones, started) => {
    expect(stepsPerhapsStarted(plan, milestones)).toEqual(started);
  });
});
