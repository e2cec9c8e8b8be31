import { describe, expect, it } from 'vitest';
import { rollBackSteps } from '../../src/rotation/roll-back.ts';
import { stepsPerhapsStarted } from '../../src/rotation/take-up.ts';
import { findOtherServer } from '../../src/rotation/publication-checks.ts';
import { apiServers, planOf } from './observed-cluster.ts';

const plan = planOf(['n1', 'n2'], undefined, undefined, null, 'by-trusting');

describe('the plan of a cluster that serves its own issuer', () => {
  it('waits for relying parties after Trusting, and prunes by untrusting', () => {
    expect(plan.steps.map(({ phase, id, guards }) => `${phase}: ${id} [${guards.join(' ')}]`)).toEqual([
      'Staging: stage-key []',
      'Staging: back-up/n1 []',
      'Staging: back-up/n2 []',
      'Trusting: trust/n1 [nextStaged othersReady noUnknownApiServer]',
      'Trusting: trust/n2 [nextStaged othersReady noUnknownApiServer]',
      'Trusting: publish-key [everyoneTrustsNext noUnknownApiServer]',
      'Trusting: wait-for-relying-parties [nextIsPublic]',
      'Signing: sign/n1 [everyoneTrustsNext nextIsPublic cachesExpired othersReady noUnknownApiServer]',
      'Signing: switch-controller-manager/n1 [everyoneTrustsNext noUnknownApiServer]',
      'Signing: sign/n2 [everyoneTrustsNext nextIsPublic cachesExpired othersReady noUnknownApiServer]',
      'Signing: switch-controller-manager/n2 [everyoneTrustsNext noUnknownApiServer]',
      'Verifying: verify [everyoneSignsWithNext nextIsPublic noUnknownApiServer]',
      'Refreshing: refresh [everyoneSignsWithNext]',
      'Draining: drain []',
      'Draining: settle-legacy-tokens [drained everyoneSignsWithNext]',
      'Pruning: prune-key [drained everyoneSignsWithNext nextIsPublic noLegacyTokensOfFormer noUnknownApiServer]',
      'Untrusting: untrust/n1 [drained everyoneSignsWithNext noLegacyTokensOfFormer othersReady noUnknownApiServer]',
      'Untrusting: settle-controller-manager/n1 [noUnknownApiServer]',
      'Untrusting: untrust/n2 [drained everyoneSignsWithNext noLegacyTokensOfFormer othersReady noUnknownApiServer]',
      'Untrusting: settle-controller-manager/n2 [noUnknownApiServer]',
      'Retiring: retire [nobodyTrustsFormer everyoneSignsWithNext noUnknownApiServer]',
    ]);
    expect(plan.probed[0]).toEqual(['Trusting', 'Refreshing']);
  });

  it('says so', () => {
    expect(plan.limits).toEqual([
      'The API servers serve the JWKS themselves: the new key becomes public by being trusted, so relying parties are waited for after Trusting; the former key leaves the JWKS in Untrusting.',
    ]);
    expect(planOf().limits).toBeUndefined();
  });

  it('turns back: the JWKS forgets the new key with the API servers, after the drain', () => {
    const started = new Set(
      plan.steps.map(({ id }) => id).filter((id) => !/untrust|settle-controller|retire/.test(id)),
    );
    expect(rollBackSteps(plan, started).map(({ id }) => id)).toEqual([
      'undo/prune-key',
      'undo/wait-for-relying-parties',
      'undo/switch-controller-manager/n2',
      'undo/sign/n2',
      'undo/switch-controller-manager/n1',
      'undo/sign/n1',
      'undo/refresh',
      'undo/drain',
      'undo/trust/n2',
      'undo/trust/n1',
      'undo/back-up/n2',
      'undo/back-up/n1',
      'undo/stage-key',
    ]);
  });

  it('a run that died before the key counted as public may have come to trust it', () => {
    expect(stepsPerhapsStarted(plan, {})).toContain('trust/n2');
    expect(stepsPerhapsStarted(planOf(['n1', 'n2']), {})).not.toContain('trust/n2');
  });
});

describe('a publisher that is said to be the API servers', () => {
  const facts = (publicKids: readonly string[] | null) => ({
    publishing: 'by-trusting' as const,
    publicKids,
    publicUrl: 'https://issuer.example/openid/v1/jwks',
    record: null,
    controlPlane: { apiServers: apiServers() },
  });

  it('shows what they trust', () => {
    expect(findOtherServer(facts(['former-kid']))).toEqual([]);
    expect(findOtherServer(facts(null))).toEqual([]);
  });

  it.each([[['former-kid', 'other']], [['other']], [[]]])('is another one where it shows %j', (kids) => {
    expect(findOtherServer(facts(kids))).toMatchObject([
      { code: 'PREFLIGHT_REFUSED', subject: 'https://issuer.example/openid/v1/jwks' },
    ]);
  });
});
