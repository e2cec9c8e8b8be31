import { describe, expect, it } from 'vitest';
import type { Milestones } from '../../src/rotation/record.ts';
import { stepsDoneBefore, stepsPerhapsStarted, withPresentNodes } from '../../src/rotation/take-up.ts';
import { planOf, unfinishedRecord } from './observed-cluster.ts';

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

  it.each<[string, Milestones | null, readonly string[]]>([
    ['the key alone where nothing was recorded, which may have been made all the same', null, ['stage-key']],
    ['no more than Publishing where the key was not read back', {}, upTo('wait-for-relying-parties')],
    ['all up to Refreshing where the key was public', { publishedAt: at }, upTo('refresh')],
    ['all up to Pruning where every signer was proven', { publishedAt: at, verifiedAt: at }, upTo('prune-key')],
  ])('is rolled back with %s', (_, milestones, started) => {
    expect(stepsPerhapsStarted(plan, milestones)).toEqual(started);
  });
});

describe('nodes of a rotation that is taken up', () => {
  const layout = (node: string, signingKeyFile = '/etc/kubernetes/pki/sa.key') => ({
    node,
    signingKeyFile,
    trustedKeyFiles: ['/etc/kubernetes/pki/sa.pub'],
    controllerManagerKeyFile: null,
  });

  it('are those that there are now: one that joined comes in with the layout of the rotation, one that is gone goes', () => {
    const record = unfinishedRecord({
      layouts: [
        { ...layout('n1'), keyLayout: 'in-place' },
        { ...layout('n2'), keyLayout: 'in-place' },
      ],
      apiServerAddresses: ['https://n1:6443', 'https://n2:6443'],
    });
    // What is seen of n1 now is half changed: what was recorded counts.
    const seen = [
      { ...layout('n1', '/half/changed.key'), keyLayout: 'flags' as const },
      { ...layout('n3'), keyLayout: 'flags' as const },
    ];
    expect(withPresentNodes(record, seen, ['https://n1:6443', 'https://n3:6443'])).toEqual({
      ...record,
      layouts: [
        { ...layout('n1'), keyLayout: 'in-place' },
        { ...layout('n3'), keyLayout: 'in-place', joined: true },
      ],
      apiServerAddresses: ['https://n1:6443', 'https://n3:6443'],
    });
  });

  it('stay as they are where none joined or left', () => {
    const record = unfinishedRecord({ layouts: [layout('n1')], apiServerAddresses: ['https://n1:6443'] });
    const seen = [{ ...layout('n1', '/half/changed.key'), keyLayout: 'in-place' as const }];
    expect(withPresentNodes(record, seen, ['https://n1:6443'])).toEqual(record);
  });
});
