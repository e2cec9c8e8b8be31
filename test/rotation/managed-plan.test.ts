import { describe, expect, it } from 'vitest';
import { canStillRollBack } from '../../src/rotation/take-up.ts';
import { gateBefore } from '../../src/rotation/gates.ts';
import { keyringOf } from '../../src/rotation/keyring.ts';
import type { Plan } from '../../src/rotation/plan.ts';
import { rollBackSteps } from '../../src/rotation/roll-back.ts';
import { ASKED_FOR, BY_ITSELF, HANDED_OVER, managedPlanOf } from './managed-capabilities.ts';
import { FORMER, NEXT } from './observed-cluster.ts';

const read = ({ steps }: Pick<Plan, 'steps'>) =>
  steps.map(({ phase, id, guards }) => `${phase}: ${id} [${guards.join(' ')}]`);
const undone = ({ steps }: Pick<Plan, 'steps'>) =>
  steps.flatMap(({ id, undo }) => (undo === null ? [] : [`${id}: ${undo.action.type} [${undo.guards.join(' ')}]`]));

describe('where the platform is handed a key', () => {
  const plan = managedPlanOf(HANDED_OVER);

  it('the key is public before it is handed over, and the former one is forgotten last', () => {
    expect(read(plan)).toEqual([
      'Staging: stage-key []',
      'Publishing: publish-key [nextStaged]',
      'Publishing: wait-for-relying-parties []',
      'Trusting: hand-over-key [nextStaged nextIsPublic cachesExpired]',
      'Signing: follow-rotation []',
      'Verifying: verify [everyoneSignsWithNext nextIsPublic]',
      'Refreshing: refresh [everyoneSignsWithNext]',
      'Draining: drain []',
      'Draining: settle-legacy-tokens [drained everyoneSignsWithNext]',
      'Pruning: prune-key [drained everyoneSignsWithNext nextIsPublic noLegacyTokensOfFormer]',
      'Untrusting: forget-former [drained everyoneSignsWithNext formerIsNotPublic noLegacyTokensOfFormer]',
      'Retiring: retire [nobodyTrustsFormer everyoneSignsWithNext]',
    ]);
    expect(plan.limits).toBeUndefined();
  });

  it('every change can be taken back until the former key is forgotten', () => {
    expect(undone(plan)).toEqual([
      'stage-key: discardKey [nobodyTrustsNext]',
      'publish-key: withdrawKey [nobodyTrustsNext]',
      'hand-over-key: forgetNext [nobodySignsWithNext nextDrained noLegacyTokensOfNext]',
      'follow-rotation: takeBackRotation [everyoneTrustsFormer formerIsPublic cachesExpired]',
      'refresh: restoreLegacyTokens [nobodySignsWithNext]',
      'prune-key: republishFormer []',
    ]);
    expect(plan.pointOfNoReturn).toBe('Untrusting');
  });

  it('the way back hands the former key over again, drains, and only then has the new one forgotten', () => {
    const ids = plan.steps.map(({ id }) => id);
    expect(rollBackSteps(plan, new Set(ids.slice(0, ids.indexOf('forget-former')))).map(({ id }) => id)).toEqual([
      'undo/prune-key',
      'undo/wait-for-relying-parties',
      'undo/follow-rotation',
      'undo/refresh',
      'undo/drain',
      'undo/hand-over-key',
      'undo/publish-key',
      'undo/stage-key',
    ]);
  });

  it('a key that was handed over counts as signing, whether anybody followed or not', () => {
    const started = new Set(['stage-key', 'publish-key', 'hand-over-key']);
    const way = rollBackSteps(plan, started);
    expect(way.map(({ id }) => id)).toEqual([
      'undo/wait-for-relying-parties',
      'undo/follow-rotation',
      'undo/drain',
      'undo/hand-over-key',
      'undo/publish-key',
      'undo/stage-key',
    ]);
    expect(way.find(({ id }) => id === 'undo/hand-over-key')?.guards).toContain('nextDrained');
  });

  it('a key that was never handed over needs no drain', () => {
    const way = rollBackSteps(plan, new Set(['stage-key', 'publish-key', 'wait-for-relying-parties']));
    expect(way.map(({ id }) => id)).toEqual(['undo/publish-key', 'undo/stage-key']);
  });

  it('the gate of Signing stands before the key is handed over, and no other asks twice', () => {
    const asked = plan.steps.filter((step) => gateBefore(plan, step, ['signing', 'each-node']) !== null);
    expect(asked.map(({ id }) => id)).toEqual(['hand-over-key']);
  });

  it('only the phases in which the platform acts by itself cannot be paused', () => {
    expect(plan.unpausable).toEqual(['Trusting', 'Signing']);
  });

  it('publishes nothing in advance where the platform serves the JWKS', () => {
    const { steps, limits } = managedPlanOf({ ...HANDED_OVER, publishing: 'by-platform' });
    expect(read({ steps }).slice(0, 5)).toEqual([
      'Staging: stage-key []',
      'Trusting: hand-over-key [nextStaged]',
      'Signing: follow-rotation []',
      'Signing: wait-for-relying-parties [nextIsPublic]',
      'Verifying: verify [everyoneSignsWithNext nextIsPublic]',
    ]);
    expect(steps.some(({ id }) => id === 'prune-key')).toBe(false);
    expect(limits).toEqual([
      'The new key signs before it is public: until relying parties have read it they refuse its tokens. The gap is measured and recorded.',
    ]);
  });
});

describe('where the platform makes the key when it is asked', () => {
  const plan = managedPlanOf(ASKED_FOR);

  it('the key is published when it is seen, and waited for before anything is claimed', () => {
    expect(read(plan)).toEqual([
      'Staging: record-rotation []',
      'Signing: begin-rotation []',
      'Signing: follow-rotation []',
      'Signing: wait-for-relying-parties [nextIsPublic]',
      'Verifying: verify [everyoneSignsWithNext nextIsPublic]',
      'Refreshing: refresh [everyoneSignsWithNext]',
      'Draining: drain []',
      'Draining: settle-legacy-tokens [drained everyoneSignsWithNext]',
      'Pruning: prune-key [drained everyoneSignsWithNext nextIsPublic noLegacyTokensOfFormer]',
      'Untrusting: forget-former [drained everyoneSignsWithNext formerIsNotPublic noLegacyTokensOfFormer]',
      'Retiring: retire [nobodyTrustsFormer everyoneSignsWithNext]',
    ]);
  });

  it('there is no way back, and the plan says what cannot be had', () => {
    expect(undone(plan)).toEqual([]);
    expect(plan.pointOfNoReturn).toBe('Signing');
    expect(plan.limits).toEqual([
      'The new key signs before it is public: until relying parties have read it they refuse its tokens. The gap is measured and recorded.',
      'There is no way back once the platform has begun.',
      'API servers stand behind one address: they are asked through it, not one by one.',
    ]);
    expect(plan.unpausable).toEqual(['Signing']);
  });

  it.each<[string, Parameters<typeof canStillRollBack>[1], boolean]>([
    ['before it was asked', {}, true],
    ['once it was asked', { begunAt: '2026-01-01T00:00:00.000Z' }, false],
  ])('a run that takes it up %s: can go back is %s', (_, milestones, canGoBack) => {
    expect(canStillRollBack(plan, milestones)).toBe(canGoBack);
    expect(canStillRollBack(managedPlanOf(HANDED_OVER), milestones)).toBe(true);
  });

  it('probes relying parties only when they can know the key', () => {
    expect(plan.probed).toEqual([
      ['Verifying', 'Refreshing'],
      ['Pruning', 'Untrusting'],
    ]);
    expect(managedPlanOf(HANDED_OVER).probed[0]).toEqual(['Publishing', 'Refreshing']);
  });
});

describe('where the platform goes to the end by itself', () => {
  const plan = managedPlanOf(BY_ITSELF);

  it('it is begun, followed and verified', () => {
    expect(read(plan)).toEqual([
      'Staging: record-rotation []',
      'Signing: begin-rotation []',
      'Signing: follow-rotation []',
      'Signing: wait-for-relying-parties [nextIsPublic]',
      'Verifying: verify [everyoneSignsWithNext nextIsPublic]',
      'Retiring: retire [nobodyTrustsFormer everyoneSignsWithNext]',
    ]);
    expect(undone(plan)).toEqual([]);
    expect(plan.unpausable).toEqual([
      'Signing',
      'Verifying',
      'Refreshing',
      'Draining',
      'Pruning',
      'Untrusting',
      'Retiring',
    ]);
    expect(plan.limits?.slice(1)).toEqual([
      'The platform deletes the former key by itself: there is no drain, and tokens of it may be refused.',
      'There is no way back once the platform has begun.',
      'It cannot be paused once the platform has begun.',
    ]);
  });

  it('the former key is retired when the new one signs', () => {
    const keys = { former: FORMER, next: NEXT, nextVersion: 2 };
    const after = (...done: string[]) =>
      keyringOf(plan, { done: new Set(done), undone: new Set() }, keys).map(({ role }) => role);
    expect(after('record-rotation', 'begin-rotation')).toEqual(['active', 'next']);
    expect(after('record-rotation', 'begin-rotation', 'follow-rotation')).toEqual(['retired', 'active']);
  });
});

it.each([HANDED_OVER, ASKED_FOR, BY_ITSELF])('every plan is JSON and names each step once', (capabilities) => {
  const plan = managedPlanOf(capabilities, { probePod: { tokenLifetimeMs: 3_600_000, awaitRefresh: true } });
  expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
  expect(new Set(plan.steps.map(({ id }) => id)).size).toBe(plan.steps.length);
});
