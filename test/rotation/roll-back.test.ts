import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rollBackSteps } from '../../src/rotation/roll-back.ts';
import { planOf } from './observed-cluster.ts';

const plan = planOf(['n1', 'n2']);
const ALL = plan.steps.map(({ id }) => id);
const backFrom = (id: string) => rollBackSteps(plan, new Set(ALL.slice(0, ALL.indexOf(id) + 1))).map((step) => step.id);

const STAGING = ['undo/back-up/n2', 'undo/back-up/n1', 'undo/stage-key'];
const PUBLISHING = ['undo/publish-key', ...STAGING];
const TRUSTING = ['undo/trust/n2', 'undo/trust/n1', ...PUBLISHING];
const SIGNERS = [
  'undo/wait-for-relying-parties',
  'undo/switch-controller-manager/n2',
  'undo/sign/n2',
  'undo/switch-controller-manager/n1',
  'undo/sign/n1',
];
const SIGNING = [...SIGNERS, 'undo/drain', ...TRUSTING];
/** Only once controller managers have the former key again can they mint with it. */
const REFRESHING = [...SIGNERS, 'undo/refresh', 'undo/drain', ...TRUSTING];

describe('the way back', () => {
  it.each<[string, readonly string[]]>([
    ['stage-key', ['undo/stage-key']],
    ['back-up/n2', STAGING],
    ['publish-key', PUBLISHING],
    ['wait-for-relying-parties', PUBLISHING],
    ['trust/n1', ['undo/trust/n1', ...PUBLISHING]],
    ['trust/n2', TRUSTING],
    ['sign/n1', ['undo/wait-for-relying-parties', 'undo/sign/n1', 'undo/drain', ...TRUSTING]],
    ['switch-controller-manager/n2', SIGNING],
    ['verify', SIGNING],
    ['refresh', REFRESHING],
    ['drain', REFRESHING],
    ['settle-legacy-tokens', REFRESHING],
    ['prune-key', ['undo/prune-key', ...REFRESHING]],
  ])('from %s', (id, expected) => expect(backFrom(id)).toEqual(expected));

  it('from nowhere is no way', () => expect(rollBackSteps(plan, new Set())).toEqual([]));

  it('says of each step which one it takes back, in which phase, and guards the waits', () => {
    const steps = rollBackSteps(plan, new Set(ALL.slice(0, ALL.indexOf('prune-key') + 1)));
    expect(steps.slice(0, 3).map(({ undoes, phase, guards }) => ({ undoes, phase, guards }))).toEqual([
      { undoes: 'prune-key', phase: 'Pruning', guards: [] },
      { undoes: null, phase: 'Pruning', guards: ['formerIsPublic'] },
      {
        undoes: 'switch-controller-manager/n2',
        phase: 'Signing',
        guards: ['everyoneTrustsFormer'],
      },
    ]);
    expect(steps.find(({ id }) => id === 'undo/drain')).toEqual({
      id: 'undo/drain',
      undoes: null,
      phase: 'Draining',
      summary: 'Wait 1d 7m until no token of the new key can matter',
      action: { type: 'wait', wait: 'drainNext' },
      guards: ['nobodySignsWithNext'],
    });
  });

  it('takes back whatever was started, the last first but for Refreshing, and drains if and only if something may have signed', () => {
    fc.assert(
      fc.property(fc.subarray(ALL), (started) => {
        const way = rollBackSteps(plan, new Set(started));
        const undone = way.flatMap(({ undoes }) => (undoes === null ? [] : [undoes]));
        const undoable = plan.steps.filter(({ id, undo }) => undo !== null && started.includes(id)).map(({ id }) => id);
        expect(undone.filter((id) => id !== 'refresh')).toEqual(undoable.toReversed().filter((id) => id !== 'refresh'));
        const refresh = way.findIndex(({ undoes }) => undoes === 'refresh');
        expect(refresh >= 0).toBe(started.includes('refresh'));
        if (refresh >= 0) {
          expect(way.findLastIndex(({ phase }) => phase === 'Signing')).toBeLessThan(refresh);
          expect(way.slice(0, refresh).map(({ action }) => action.type)).not.toContain('distrust');
        }
        const signed = started.some((id) => id.startsWith('sign/'));
        const distrusts = way.findIndex(({ action }) => action.type === 'distrust');
        const drain = way.findIndex(({ id }) => id === 'undo/drain');
        expect(drain >= 0).toBe(signed && distrusts >= 0);
        if (drain >= 0) expect(drain).toBe(distrusts - 1);
        const wait = way.findIndex(({ id }) => id === 'undo/wait-for-relying-parties');
        expect(wait >= 0).toBe(signed);
        if (wait >= 0) expect(way.findIndex(({ phase }) => phase === 'Signing')).toBe(wait + 1);
        const demandsDrain = way.some(({ guards }) => guards.includes('nextDrained'));
        expect(demandsDrain).toBe(drain >= 0);
      }),
    );
  });
});
