import { describe, expect, it } from 'vitest';
import {
  explainHold,
  fateOf,
  isRefreshedInPlace,
  isUntouchedSuccessor,
  mayBeCleared,
  needsSuccessor,
  ruleFor,
  rulesAskedBy,
  wasUsedSince,
  type LegacyTokenFate,
  type LegacyTokenPolicies,
} from '../../src/rotation/legacy-tokens.ts';
import type { LegacyToken, SecretReference } from '../../src/rotation/observation.ts';
import { legacyToken } from './observed-cluster.ts';

const token = (change: Partial<LegacyToken> = {}) => legacyToken('ci', 'former-kid', change);
const NOON = Date.UTC(2026, 5, 2, 12);
const USE = { switchedAtMs: NOON, trackedSince: '2025-01-01' };
const pod: SecretReference = { kind: 'Deployment', name: 'web', how: 'volume', running: true };
const template: SecretReference = { ...pod, running: false };
const account: SecretReference = { kind: 'ServiceAccount', name: 'app', how: 'secrets', running: false };

describe('whether a token was used since the switch', () => {
  it.each<
    [string, boolean, Partial<LegacyToken>, Partial<typeof USE> | { switchedAtMs: null } | { trackedSince: null }]
  >([
    ['used the day after', true, { lastUsed: '2026-06-03' }, {}],
    ['used on the day of it: the label has no time', true, { lastUsed: '2026-06-02' }, {}],
    ['used the day before', false, { lastUsed: '2026-06-01' }, {}],
    ['never used', false, {}, {}],
    [
      'a clock that is behind noted yesterday',
      true,
      { lastUsed: '2026-06-01' },
      { switchedAtMs: Date.UTC(2026, 5, 2, 0, 4) },
    ],
    ['no clock may be so far behind', false, { lastUsed: '2026-06-01' }, { switchedAtMs: Date.UTC(2026, 5, 2, 0, 6) }],
    ['uses are not noted', true, {}, { trackedSince: null }],
    ['uses are noted only since the day after', true, {}, { trackedSince: '2026-06-03' }],
    ['uses are noted since that day', false, {}, { trackedSince: '2026-06-02' }],
    ['nobody can read since when', true, {}, { trackedSince: 'yesterday' }],
    ['nobody can read the label', true, { lastUsed: 'today' }, {}],
    ['there was no switch yet', true, {}, { switchedAtMs: null }],
  ])('%s: %s', (_, used, change, use) => {
    expect(wasUsedSince(token(change), { ...USE, ...use })).toBe(used);
  });
});

describe('the rule for a Secret', () => {
  const policies: LegacyTokenPolicies = {
    default: 'keep',
    reason: 'a test cluster',
    overrides: [
      { namespace: 'default', secret: 'ci', policy: 'refresh', inPlace: true },
      { namespace: 'default', policy: 'hold' },
      { namespace: 'other', secret: 'ci', policy: 'refresh' },
    ],
  };
  it.each<[string, string, object]>([
    ['default', 'ci', { policy: 'refresh', inPlace: true }],
    ['default', 'cd', { policy: 'hold' }],
    ['other', 'ci', { policy: 'refresh' }],
    ['other', 'cd', { policy: 'keep', reason: 'a test cluster' }],
  ])('%s/%s', (namespace, name, rule) => {
    expect(ruleFor(policies, token({ namespace, name }))).toMatchObject(rule);
    expect(
      ruleFor({ ...policies, overrides: policies.overrides.toReversed() }, token({ namespace, name })),
    ).toMatchObject(rule);
  });

  it('is the cluster’s where one word says it', () =>
    expect(ruleFor('refresh', token())).toMatchObject({ policy: 'refresh' }));
});

it('what the input of a rotation says carries who asked for it, and why', () => {
  expect(rulesAskedBy('keep', 'ann', 'CHG-1')).toEqual({ default: 'keep', overrides: [], reason: 'CHG-1', by: 'ann' });
  const own = { default: 'keep', reason: 'a lab', overrides: [] } as const;
  expect(rulesAskedBy(own, 'ann', 'CHG-1')).toEqual({ ...own, by: 'ann' });
  expect(rulesAskedBy('hold', 'ann', undefined)).toEqual({ default: 'hold', overrides: [], by: 'ann' });
});

describe('when its key is taken away, a token', () => {
  it.each<[string, LegacyTokenPolicies, Partial<LegacyToken>, LegacyTokenFate]>([
    ['that was used', 'hold', { lastUsed: '2026-06-03' }, 'holds'],
    ['that was not used', 'hold', { lastUsed: '2026-06-01' }, 'unused'],
    ['that is mounted but was not used', 'hold', { references: [pod] }, 'unused'],
    ['that was used', 'keep', { lastUsed: '2026-06-03', references: [pod] }, 'accepted'],
    ['that could not be refreshed, used or not', 'refresh', {}, 'holds'],
  ])('%s, by the policy %s', (_, policies, change, fate) => {
    expect(fateOf(token(change), policies, USE)).toBe(fate);
  });
});

describe('by the policy refresh', () => {
  it.each<[string, boolean, Partial<LegacyToken>, { trackedSince: string | null }]>([
    ['one that is mounted', true, { references: [pod] }, USE],
    ['one that a template names', true, { references: [template] }, USE],
    ['one that was ever used', true, { lastUsed: '2024-01-01' }, USE],
    ['one of which nobody knows who has it', true, { references: null }, USE],
    ['one of which nobody knows whether it was used', true, {}, { trackedSince: null }],
    ['one that nobody ever used or names', false, {}, USE],
  ])('%s gets a second Secret: %s', (_, gets, change, use) => {
    expect(needsSuccessor(token(change), 'refresh', { switchedAtMs: null, ...use })).toBe(gets);
  });

  it.each<[string, boolean, Partial<LegacyToken>]>([
    ['nobody has it and nobody used it', true, {}],
    ['only a template names it: its next pod reads the new token', true, { references: [template, account] }],
    ['a pod has it as a file', false, { references: [pod] }],
    ['a pod has it in its environment', false, { references: [{ ...pod, how: 'env' }] }],
    ['nobody knows who has it', false, { references: null }],
    ['it was used since the switch', false, { lastUsed: '2026-06-02' }],
    ['it cannot be changed', false, { immutable: true }],
  ])('where %s, it may be minted anew before Pruning: %s', (_, may, change) => {
    expect(mayBeCleared(token(change), 'refresh', USE)).toBe(may);
  });

  it('in place it gets no second Secret, and the other way round; what is immutable is left', () => {
    const inPlace: LegacyTokenPolicies = { default: 'refresh', inPlace: true, overrides: [] };
    const mounted = token({ references: [pod] });
    expect(needsSuccessor(mounted, inPlace, USE)).toBe(false);
    expect(isRefreshedInPlace(mounted, inPlace)).toBe(true);
    expect(isRefreshedInPlace(mounted, 'refresh')).toBe(false);
    expect(isRefreshedInPlace(token({ immutable: true }), inPlace)).toBe(false);
  });

  it.each(['hold', 'keep'] as const)('and by no other: %s', (policy) => {
    const used = token({ lastUsed: '2026-06-01', references: [pod] });
    expect(needsSuccessor(used, policy, USE)).toBe(false);
    expect(isRefreshedInPlace(used, { default: policy, inPlace: true, overrides: [] })).toBe(false);
    expect(mayBeCleared(token(), policy, USE)).toBe(false);
  });

  it.each<[string, boolean, Partial<LegacyToken>, Partial<{ trackedSince: null }>]>([
    ['nobody used or names', true, {}, {}],
    ['was used', false, { lastUsed: '2026-06-02' }, {}],
    ['even a template names', false, { references: [template] }, {}],
    ['nobody knows who names', false, { references: null }, {}],
    ['nobody knows whether it was used', false, {}, { trackedSince: null }],
    ['is none', false, { successorOf: null }, {}],
  ])('on the way back a second Secret that %s is removed: %s', (_, removed, change, use) => {
    expect(isUntouchedSuccessor(token({ successorOf: 'ci', ...change }), { ...USE, ...use })).toBe(removed);
  });
});

it('a hold names Secrets, who has them, their successors, and the ways out', () => {
  const used = token({ lastUsed: '2026-06-03', references: [pod, account], immutable: true });
  const unknown = token({ name: 'cd', references: null });
  const successor = legacyToken('ci-abc', 'next-kid', { successorOf: 'ci' });
  expect(explainHold([used, unknown], [used, unknown, successor], 'former')).toBe(
    '2 legacy token Secret(s) are signed by the former key and would die: ' +
      'default/ci (last used 2026-06-03; Deployment web (volume), ServiceAccount app (secrets); immutable; its successor is ci-abc), ' +
      'default/cd (no use noted; not known who mounts it). ' +
      'Move their users to other tokens and delete these Secrets, or clear their data.token, which kills the token at once and has it minted anew; ' +
      'then retry. Or roll back and start with another policies.legacyTokens for them',
  );
});
