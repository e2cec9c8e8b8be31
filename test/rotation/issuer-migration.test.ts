import { describe, expect, test } from 'vitest';
import { withDrain } from '../../src/rotation/change-drain.ts';
import { gateBefore } from '../../src/rotation/gates.ts';
import { findShortIssuerDrain, issuerMigrationPlan } from '../../src/rotation/issuer-migration.ts';
import { rollBackSteps } from '../../src/rotation/roll-back.ts';
import { drainOf } from './observed-cluster.ts';

const A = 'https://a.example';
const B = 'https://b.example';
/** The least that Gardener allows. */
const FLAGS = { maxTokenExpirationMs: 2_592_000_000, extendTokenExpiration: true };
const drain = drainOf({ policy: 'refreshing' }, FLAGS);
const plan = issuerMigrationPlan({
  migration: { from: A, to: B, fromIsDefault: false, acceptedBefore: [] },
  relyingPartyCacheMs: 3_600_000,
  drain,
});

describe('the plan of a migration to another issuer', () => {
  test('publishes, has the new issuer accepted before it issues, and forgets the former one after the drain', () => {
    expect(plan.steps.map(({ phase, id }) => `${phase}: ${id}`)).toEqual([
      'Publishing: publish-issuer',
      'Publishing: wait-for-relying-parties',
      'Trusting: accept-issuer',
      'Signing: switch-issuer',
      'Verifying: verify-issuer',
      'Refreshing: recreate-token-secrets',
      'Draining: drain',
      'Draining: look-for-former-tokens',
      'Untrusting: forget-former-issuer',
    ]);
    expect(plan.pointOfNoReturn).toBe('Untrusting');
    expect(plan.limits?.[0]).toContain(`Relying parties must trust ${B} before Signing`);
  });

  test('asks at the gate signing before the first token of the new issuer, and nowhere else', () => {
    const gated = plan.steps.filter((step) => gateBefore(plan, step, ['signing', 'pruning', 'each-node']) !== null);
    expect(gated.map(({ id }) => id)).toEqual(['switch-issuer']);
  });

  test('speaks of the issuer in its drain, also when that is changed', () => {
    const summaryOf = (each: typeof plan) => each.steps.find(({ id }) => id === 'drain')?.summary;
    expect(summaryOf(plan)).toBe('Wait 1d 7m until no token of the former issuer can matter');
    const longer = withDrain(plan, drainOf({ policy: 'fixed', durationMs: 172_800_000 }, FLAGS));
    expect(summaryOf(longer)).toBe('Wait 2d until no token of the former issuer can matter');
  });
});

describe('the way back', () => {
  const back = (...started: readonly string[]) => rollBackSteps(plan, new Set(started)).map(({ id }) => id);
  const before = ['publish-issuer', 'wait-for-relying-parties', 'accept-issuer'];

  test('before a token of the new issuer was seen takes the acceptance back at once', () => {
    expect(back(...before)).toEqual(['undo/accept-issuer']);
  });

  test('after that has the former one issue again, and drains the new one’s tokens before they are refused', () => {
    const steps = ['undo/switch-issuer', 'undo/drain', 'undo/accept-issuer'];
    expect(back(...before, 'switch-issuer')).toEqual(steps);
    expect(back(...before, 'switch-issuer', 'verify-issuer', 'recreate-token-secrets', 'drain')).toEqual(steps);
    const wait = rollBackSteps(plan, new Set([...before, 'switch-issuer'])).find(({ id }) => id === 'undo/drain');
    expect(wait).toMatchObject({
      guards: [],
      summary: expect.stringContaining('of the new issuer can matter') as unknown,
    });
  });
});

describe('the drain', () => {
  test('with token lifetimes that Gardener allows is longer than the 12 h of its components, whatever the policy', () => {
    for (const policy of [{ policy: 'refreshing' }, { policy: 'expiry' }] as const)
      expect(findShortIssuerDrain(drainOf(policy, FLAGS))).toEqual([]);
    const unbounded = { maxTokenExpirationMs: null, extendTokenExpiration: true };
    expect(drainOf({ policy: 'expiry' }, unbounded).totalMs).toBeGreaterThan(365 * 86_400_000);
    const inTime = { maxTokenExpirationMs: FLAGS.maxTokenExpirationMs, extendTokenExpiration: false };
    expect(drainOf({ policy: 'expiry' }, inTime).totalMs).toBe(30 * 86_400_000 + 300_000);
  });

  test('of a bound below 12 h is refused, unless a reason accepts it', () => {
    const unset = { maxTokenExpirationMs: null, extendTokenExpiration: false };
    const bounded = drainOf({ policy: 'expiry', boundMs: 3_600_000 }, unset);
    expect(findShortIssuerDrain(bounded)).toMatchObject([{ code: 'PREFLIGHT_REFUSED', subject: 'policies.drain' }]);
    const accepted = drainOf({ policy: 'fixed', durationMs: 1000, allowShorter: 'nobody is there' }, unset);
    expect(findShortIssuerDrain(accepted)).toEqual([]);
  });
});
