import { describe, expect, it } from 'vitest';
import {
  legacyTokenLines,
  reportLegacyTokens,
  summarizeLegacyTokens,
  type ReportInput,
} from '../../src/rotation/legacy-token-report.ts';
import type { LegacyToken } from '../../src/rotation/observation.ts';
import { legacyToken } from './observed-cluster.ts';

const NOON = Date.UTC(2026, 5, 2, 12);

function report(tokens: readonly LegacyToken[], change: Partial<ReportInput> = {}) {
  return reportLegacyTokens({
    observed: { tokens, trackedSince: '2025-01-01', referencesUnknown: null },
    policies: 'hold',
    formerKid: 'former-kid',
    rotationId: 'abc',
    switchedAtMs: NOON,
    ...change,
  });
}

const TOKENS = [
  legacyToken('unused', 'former-kid'),
  legacyToken('used', 'former-kid', {
    lastUsed: '2026-06-03',
    references: ['a', 'b', 'c', 'd'].map((name) => ({ kind: 'Pod', name, how: 'volume', running: true })),
  }),
  legacyToken('foreign', 'other-kid'),
  legacyToken('used-abc', 'next-kid', { successorOf: 'used', rotationId: 'abc' }),
  legacyToken('remade', 'next-kid', { rotationId: 'abc' }),
  legacyToken('of-another-rotation', 'next-kid', { rotationId: 'xyz' }),
];

describe('the report of legacy tokens', () => {
  it('counts by key, and lists those of the former key and those that the rotation made, what holds it first', () => {
    const { total, byKid, secrets } = report(TOKENS);
    expect(total).toBe(6);
    expect(byKid).toEqual([
      { kid: 'next-kid', count: 3 },
      { kid: 'former-kid', count: 2 },
      { kid: 'other-kid', count: 1 },
    ]);
    expect(secrets.map(({ name, state }) => `${name} ${state}`)).toEqual([
      'used holds',
      'unused unused',
      'used-abc successor',
      'remade refreshed',
    ]);
    expect(secrets[0]).toEqual({
      namespace: 'default',
      name: 'used',
      state: 'holds',
      policy: 'hold',
      inPlace: false,
      lastUsed: '2026-06-03',
      mountedBy: ['Pod a (volume)', 'Pod b (volume)', 'Pod c (volume)', '1 more'],
    });
  });

  it('says of a loss that is accepted why, and by whom', () => {
    const accepted = (policies: ReportInput['policies']) =>
      report(TOKENS.slice(0, 1), { policies }).secrets[0]?.accepted;
    expect(accepted('keep')).toEqual({ reason: 'none given', by: 'keyturn.yaml' });
    const overrides = [{ namespace: 'default', policy: 'keep', reason: 'a lab' }] as const;
    expect(accepted({ default: 'hold', overrides })).toEqual({ reason: 'a lab', by: 'keyturn.yaml' });
    expect(accepted({ default: 'keep', reason: 'CHG-1', by: 'ann', overrides: [] })).toEqual({
      reason: 'CHG-1',
      by: 'ann',
    });
    expect(accepted('hold')).toBeUndefined();
  });

  it('of ten thousand Secrets with long names is a small one, and says how many it leaves out', () => {
    const long = 'x'.repeat(200);
    const references = Array.from({ length: 100 }, (_, pod) => ({
      kind: 'Deployment',
      name: `${long}-${pod}`,
      how: 'env' as const,
      running: true,
    }));
    const many = Array.from({ length: 10_000 }, (_, number) =>
      legacyToken(`${long}-${number}`, `kid-${number % 50}`, {
        kid: number % 2 === 0 ? 'former-kid' : `kid-${number % 50}`,
        references,
      }),
    );
    const small = report(many);
    expect(JSON.stringify(small).length).toBeLessThan(64_000);
    expect(small).toMatchObject({ total: 10_000, leftOut: 4960 });
    expect(small.secrets).toHaveLength(40);
    expect(small.byKid).toHaveLength(10);
  });

  it('before the switch tells what is signed by the key that is retired', () => {
    const { secrets } = report(TOKENS, { switchedAtMs: null, rotationId: null });
    expect(secrets.map(({ name, state }) => `${name} ${state}`)).toEqual(['used signed', 'unused signed']);
  });

  it('reads so in a terminal', () => {
    expect(legacyTokenLines(report(TOKENS), 'former-kid')).toEqual([
      'Legacy tokens: 6 Secret(s), by the key that signed them',
      '  3 of next-kid',
      '  2 of former-kid (the key that is retired)',
      '  1 of other-kid',
      '  default/used  keeps the former key  last used 2026-06-03  policy hold  Pod a (volume), Pod b (volume), Pod c (volume), 1 more',
      '  default/unused  not used since the switch, dies with the former key  last used -  policy hold  nothing mounts it',
      '  default/used-abc  second Secret of used  last used -  policy hold  nothing mounts it',
      '  default/remade  minted anew  last used -  policy hold  nothing mounts it',
    ]);
    expect(legacyTokenLines(report([]), 'former-kid')).toEqual(['Legacy tokens: none']);
    const blind = { tokens: TOKENS.slice(0, 1), trackedSince: null, referencesUnknown: 'Keyturn may not list pods.' };
    expect(legacyTokenLines(report([], { observed: blind }), 'former-kid').slice(-2)).toEqual([
      '  When they were used is not known: every one of them counts as in use',
      '  Who mounts them is not known: Keyturn may not list pods.',
    ]);
  });

  it('reads so in one line', () => {
    expect(summarizeLegacyTokens(report(TOKENS))).toBe(
      'legacy tokens: 1 keeps the former key (default/used); 1 not used since the switch, dies with the former key (default/unused); ' +
        '1 second Secret (default/used-abc); 1 minted anew (default/remade)',
    );
    expect(summarizeLegacyTokens(report([]))).toBe('no legacy token is signed by the former key');
  });
});
