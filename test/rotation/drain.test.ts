import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { computeDrain, type DrainPolicy } from '../../src/rotation/drain.ts';
import { DEFAULT_LIFETIMES } from './observed-cluster.ts';

const DAY = 86_400_000;
/** 24 h, 10 s jitter, 90 s sync, 60 s client reload, 5 min skew. */
const REFRESHING = 86_860_000;
const TEN_MINUTES_MAX = { maxTokenExpirationMs: 600_000, extendTokenExpiration: false };
const UNBOUNDED = { maxTokenExpirationMs: null, extendTokenExpiration: false };

describe('the drain', () => {
  it.each([
    ['refreshing, as kubeadm sets it up', { policy: 'refreshing' }, DEFAULT_LIFETIMES, REFRESHING],
    ['refreshing, where no token lives longer than 10 min', { policy: 'refreshing' }, TEN_MINUTES_MAX, 940_000],
    [
      'refreshing, where 80 % of the maximum is no whole number of ms',
      { policy: 'refreshing' },
      { maxTokenExpirationMs: 600_001, extendTokenExpiration: false },
      940_001,
    ],
    [
      'refreshing, where 80 % of the maximum is 24 h: either way',
      { policy: 'refreshing' },
      { maxTokenExpirationMs: 108_000_000, extendTokenExpiration: true },
      REFRESHING,
    ],
    [
      'refreshing, where the maximum is 48 h: kubelet replaces at 24 h',
      { policy: 'refreshing' },
      { maxTokenExpirationMs: 2 * DAY, extendTokenExpiration: true },
      REFRESHING,
    ],
    ['expiry, with extended tokens', { policy: 'expiry' }, DEFAULT_LIFETIMES, 31_536_300_000],
    [
      'expiry, where extension outlives the maximum',
      { policy: 'expiry' },
      { maxTokenExpirationMs: DAY, extendTokenExpiration: true },
      31_536_300_000,
    ],
    [
      'expiry, where the maximum outlives extension',
      { policy: 'expiry' },
      { maxTokenExpirationMs: 400 * DAY, extendTokenExpiration: true },
      34_560_300_000,
    ],
    ['expiry, by the maximum alone', { policy: 'expiry' }, TEN_MINUTES_MAX, 900_000],
    ['expiry, by the explicit bound alone', { policy: 'expiry', boundMs: 7 * DAY }, UNBOUNDED, 605_100_000],
    [
      'expiry, with an explicit bound above what was observed',
      { policy: 'expiry', boundMs: 500 * DAY },
      DEFAULT_LIFETIMES,
      43_200_300_000,
    ],
    [
      'expiry, with an explicit bound below what was observed: never below',
      { policy: 'expiry', boundMs: DAY },
      DEFAULT_LIFETIMES,
      31_536_300_000,
    ],
    ['fixed, exactly as long as computed', { policy: 'fixed', durationMs: 86_860_000 }, DEFAULT_LIFETIMES, REFRESHING],
    ['fixed, longer', { policy: 'fixed', durationMs: 30 * DAY }, DEFAULT_LIFETIMES, 2_592_000_000],
    [
      'fixed, shorter, with a reason',
      { policy: 'fixed', durationMs: 1000, allowShorter: 'a lab' },
      DEFAULT_LIFETIMES,
      1000,
    ],
  ] as const)('%s', (_, policy: DrainPolicy, flags, totalMs) => {
    const drain = computeDrain(policy, flags);
    expect(drain).toMatchObject({ policy: policy.policy, totalMs });
    expect(drain).toHaveProperty('explanation', expect.stringMatching(/ = \d/));
  });

  it('shows its arithmetic', () => {
    expect(computeDrain({ policy: 'refreshing' }, DEFAULT_LIFETIMES)).toHaveProperty(
      'explanation',
      '1d (kubelet replaces a token at the latest at this age) + 10s (kubelet jitter) + 1m 30s (kubelet sync until the file is written)' +
        ' + 1m (clients read the file again) + 5m (clock skew) = 1d 7m',
    );
  });

  it.each([
    ['fixed, a millisecond too short', { policy: 'fixed', durationMs: 86_859_999 }, DEFAULT_LIFETIMES, 'shorter than'],
    [
      'fixed, shorter, with an empty reason',
      { policy: 'fixed', durationMs: 1, allowShorter: '  ' },
      DEFAULT_LIFETIMES,
      'allowShorter',
    ],
    ['expiry, without any bound', { policy: 'expiry' }, UNBOUNDED, 'set drain.bound'],
    // An Update sends what a person typed.
    ['nothing', undefined, DEFAULT_LIFETIMES, 'a drain is'],
    ['null', null, DEFAULT_LIFETIMES, 'a drain is'],
    ['a text', '24h', DEFAULT_LIFETIMES, 'a drain is'],
    ['an unknown policy', { policy: 'never' }, DEFAULT_LIFETIMES, 'a drain is'],
    ['fixed without a duration', { policy: 'fixed' }, DEFAULT_LIFETIMES, 'a drain is'],
    ['fixed with a text', { policy: 'fixed', durationMs: '24h' }, DEFAULT_LIFETIMES, 'a drain is'],
    [
      'fixed and negative',
      { policy: 'fixed', durationMs: -1, allowShorter: 'why not' },
      DEFAULT_LIFETIMES,
      'a drain is',
    ],
    ['fixed beyond all dates', { policy: 'fixed', durationMs: 1e300 }, DEFAULT_LIFETIMES, 'a drain is'],
    ['a reason that is none', { policy: 'fixed', durationMs: 1, allowShorter: true }, DEFAULT_LIFETIMES, 'a drain is'],
    ['a bound that is none', { policy: 'expiry', boundMs: NaN }, DEFAULT_LIFETIMES, 'a drain is'],
  ] as const)('is refused: %s', (_, policy, flags, sentence) => {
    expect(computeDrain(policy as DrainPolicy, flags)).toEqual({ refused: expect.stringContaining(sentence) });
  });

  it('records the override only where it was needed', () => {
    const fixed = (durationMs: number) => ({ policy: 'fixed' as const, durationMs, allowShorter: 'a lab' });
    expect(computeDrain(fixed(1), DEFAULT_LIFETIMES)).toHaveProperty('override', 'a lab');
    expect(computeDrain(fixed(2 * DAY), DEFAULT_LIFETIMES)).not.toHaveProperty('override');
  });

  it('is never below what was observed without a recorded override, and its terms add up', () => {
    const anyPolicy: fc.Arbitrary<DrainPolicy> = fc.oneof(
      fc.constant({ policy: 'refreshing' as const }),
      fc.record({ policy: fc.constant('expiry' as const), boundMs: fc.integer({ min: 0, max: 500 * DAY }) }),
      fc.record({ policy: fc.constant('fixed' as const), durationMs: fc.integer({ min: 0, max: 500 * DAY }) }),
      fc.record({
        policy: fc.constant('fixed' as const),
        durationMs: fc.integer({ min: 0, max: DAY }),
        allowShorter: fc.constant('a lab'),
      }),
    );
    const anyFlags = fc.record({
      maxTokenExpirationMs: fc.option(fc.integer({ min: 600_000, max: 4_294_967_296_000 })),
      extendTokenExpiration: fc.boolean(),
    });
    fc.assert(
      fc.property(anyPolicy, anyFlags, (policy, flags) => {
        const drain = computeDrain(policy, flags);
        if ('refused' in drain) return;
        expect(drain.terms.reduce((total, { ms }) => total + ms, 0)).toBe(drain.totalMs);
        expect(Number.isInteger(drain.totalMs)).toBe(true);
        const bound = flags.extendTokenExpiration
          ? Math.max(365 * DAY, flags.maxTokenExpirationMs ?? 0)
          : (flags.maxTokenExpirationMs ?? 0);
        if (policy.policy === 'expiry') expect(drain.totalMs).toBeGreaterThan(bound);
        else if (drain.override === undefined) expect(drain.totalMs).toBeGreaterThanOrEqual(drain.refreshingMs);
      }),
    );
  });
});
