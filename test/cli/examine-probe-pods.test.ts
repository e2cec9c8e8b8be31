// What doctor says of probe pods.
import { describe, expect, it } from 'vitest';
import { examineProbePods } from '../../src/cli/examine-probe-pods.ts';
import { FakeProbePods } from '../fakes/probe-pods.ts';
import { unfinishedRecord } from '../rotation/observed-cluster.ts';

const NOW = Date.parse('2026-01-01T03:00:00Z');
const token = { token: '', kid: 'former-kid', issuedAt: 0, expiresAt: 0 };

describe('doctor', () => {
  it('says nothing where no probe pod is configured', async () => {
    expect(await examineProbePods(null, null, 'cluster prod', NOW)).toEqual([]);
  });

  it('finds the pod of an unfinished rotation where it should be, and a left one where it should not', async () => {
    const pods = new FakeProbePods(async () => token);
    expect(await examineProbePods(pods, null, 'cluster prod', NOW)).toEqual([
      { what: 'cluster prod: probe pods', level: 'ok', found: 'none' },
    ]);
    await pods.start('abc', 'lasting');
    expect(await examineProbePods(pods, unfinishedRecord(), 'cluster prod', NOW)).toEqual([
      { what: 'cluster prod: probe pods', level: 'ok', found: 'of rotation abc: pod/abc-lasting' },
    ]);
    const left =
      'pod/abc-lasting was left by rotation abc 3h ago; the next rotation removes it, or: kubectl -n keyturn-verify delete pod/abc-lasting';
    const ended = { at: '2026-01-01T02:00:00Z', outcome: 'completed' } as const;
    for (const record of [null, unfinishedRecord({ ended }), unfinishedRecord({ rotationId: 'other' })]) {
      expect(await examineProbePods(pods, record, 'cluster prod', NOW)).toEqual([
        { what: 'cluster prod: probe pods', level: 'warn', found: left },
      ]);
    }
  });
});
