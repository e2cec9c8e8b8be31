import { describe, expect, it } from 'vitest';
import { keyringOf, type KeyRole } from '../../src/rotation/keyring.ts';
import { toGkectlStatus } from '../../src/rotation/gkectl-status.ts';
import { FORMER, NEXT, planOf } from './observed-cluster.ts';

const plan = planOf(['n1', 'n2']);
const ALL = plan.steps.map(({ id }) => id);
const keys = (done: readonly string[], undone: readonly string[] = []) =>
  keyringOf(plan, { done: new Set(done), undone: new Set(undone) }, { former: FORMER, next: NEXT, nextVersion: 5 });
const upTo = (id: string) => ALL.slice(0, ALL.indexOf(id) + 1);

describe('the keyring', () => {
  it.each<[string, KeyRole, KeyRole]>([
    ['stage-key', 'active', 'next'],
    ['trust/n2', 'active', 'next'],
    ['sign/n1', 'active', 'next'],
    ['sign/n2', 'retiring', 'active'],
    ['prune-key', 'retiring', 'active'],
    ['untrust/n1', 'retiring', 'active'],
    ['untrust/n2', 'retired', 'active'],
    ['retire', 'retired', 'active'],
  ])('after %s: the former key is %s, the new one %s', (id, former, next) => {
    expect(keys(upTo(id)).map(({ kid, role, version }) => [kid, role, version])).toEqual([
      ['former-kid', former, 4],
      ['next-kid', next, 5],
    ]);
  });

  it('retires a new key that was given up', () => {
    expect(keys([], ALL).map(({ role }) => role)).toEqual(['active', 'retired']);
  });

  it('claims no switched signer where nothing was to be switched', () => {
    const bare = { ...plan, steps: [] };
    const ring = keyringOf(
      bare,
      { done: new Set(), undone: new Set() },
      { former: FORMER, next: NEXT, nextVersion: 2 },
    );
    expect(ring.map(({ role }) => role)).toEqual(['active', 'next']);
  });
});

describe("gkectl's shape of it", () => {
  it.each<[string, number, readonly number[]]>([
    ['trust/n2', 4, [4, 5]],
    ['sign/n2', 5, [4, 5]],
    ['untrust/n2', 5, [5]],
  ])('after %s: tokens of version %i, trusted %j', (id, signing, trusted) => {
    expect(toGkectlStatus(keys(upTo(id)), false)).toEqual({
      status: 'False',
      reason: 'KSASigningKeyRotationProcessedReason',
      tokenVersion: signing,
      privateKeyVersion: signing,
      publicKeyVersions: trusted,
    });
  });

  it('says when all is done', () => {
    expect(toGkectlStatus(keys(ALL), true)).toMatchObject({
      status: 'True',
      reason: 'KSASigningKeyRotationCompleted',
      publicKeyVersions: [5],
    });
  });

  it('is not to be had without a signer', () => expect(toGkectlStatus([], false)).toBeNull());
});
