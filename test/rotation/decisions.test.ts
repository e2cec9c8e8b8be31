import { describe, expect, it } from 'vitest';
import { DECISIONS, refuseDecision, type Situation } from '../../src/rotation/decisions.ts';

const base: Situation = {
  state: 'running',
  phase: 'Trusting',
  paused: false,
  canRollBack: true,
  rollingBack: false,
  wait: null,
  canPause: true,
  hasDrain: true,
};
const back = { rollingBack: true } as const;
const byPlatform = { phase: 'Signing', canPause: false, canRollBack: false } as const;
const final = { phase: 'Untrusting', canRollBack: false } as const;

/** Every phase and every state that a rotation can be in, and exactly what is accepted there. */
const TABLE: readonly (readonly [string, Partial<Situation>, accepted: string])[] = [
  ['preflight', { state: 'preflight', phase: 'Preflight' }, ''],
  ['staging', { phase: 'Staging' }, 'pause rollBack changeDrain abort'],
  ['publishing', { phase: 'Publishing' }, 'pause rollBack changeDrain abort'],
  ['trusting', {}, 'pause rollBack changeDrain abort'],
  ['signing', { phase: 'Signing' }, 'pause rollBack changeDrain abort'],
  ['verifying', { phase: 'Verifying' }, 'pause rollBack changeDrain abort'],
  ['refreshing', { phase: 'Refreshing' }, 'pause rollBack changeDrain abort'],
  ['running, to be paused', { paused: true }, 'resume rollBack changeDrain abort'],
  [
    'waiting for relying parties',
    { state: 'waiting', phase: 'Publishing', wait: 'relyingParties' },
    'pause rollBack changeDrain abort',
  ],
  ['draining', { state: 'waiting', phase: 'Draining', wait: 'drain' }, 'pause rollBack changeDrain abort'],
  [
    'draining, to be paused',
    { state: 'waiting', phase: 'Draining', wait: 'drain', paused: true },
    'resume rollBack changeDrain abort',
  ],
  ['held', { state: 'held' }, 'pause retry rollBack changeDrain abort'],
  ['gated before Signing', { state: 'gated', phase: 'Signing' }, 'pause approve rollBack changeDrain abort'],
  ['gated before Pruning', { state: 'gated', phase: 'Pruning' }, 'pause approve rollBack abort'],
  ['paused', { state: 'paused', paused: true }, 'resume rollBack changeDrain abort'],
  ['pruning', { phase: 'Pruning' }, 'pause rollBack abort'],
  ['gated before the first Untrusting', { state: 'gated', phase: 'Untrusting' }, 'pause approve rollBack abort'],
  ['untrusting', final, 'pause abort'],
  ['held in Untrusting', { ...final, state: 'held' }, 'pause retry abort'],
  ['gated in Untrusting', { ...final, state: 'gated' }, 'pause approve abort'],
  ['paused in Untrusting', { ...final, state: 'paused', paused: true }, 'resume abort'],
  ['retiring', { phase: 'Retiring', canRollBack: false }, 'pause abort'],
  ['rolling back', { ...back, state: 'rolling-back' }, 'pause'],
  [
    'rolling back, waiting for relying parties',
    { ...back, state: 'waiting', phase: 'Pruning', wait: 'relyingParties' },
    'pause',
  ],
  ['rolling back, draining', { ...back, state: 'waiting', phase: 'Draining', wait: 'drainNext' }, 'pause changeDrain'],
  ['rolling back, held', { ...back, state: 'held' }, 'pause retry'],
  ['rolling back, paused', { ...back, state: 'paused', paused: true }, 'resume'],
  ['while the platform goes on by itself', byPlatform, 'changeDrain abort'],
  ['paused before the platform began', { ...byPlatform, paused: true }, 'resume changeDrain abort'],
  ['where the platform drains nothing', { ...byPlatform, hasDrain: false }, 'abort'],
  ['ended', { state: 'ended', phase: 'Retiring', canRollBack: false }, ''],
  ['ended, rolled back', { ...back, state: 'ended', phase: 'Staging' }, ''],
];

describe.each(TABLE)('%s', (_, change, accepted) => {
  const situation = { ...base, ...change };
  const list = accepted === '' ? [] : accepted.split(' ');

  it.each(DECISIONS)('%s is accepted or refused with a sentence', (decision) => {
    const refusal = refuseDecision(decision, 'because', situation);
    if (list.includes(decision)) {
      expect(refusal).toBeNull();
    } else {
      const now = list.length === 0 ? 'Nothing can be decided now.' : `Possible now: ${list.join(', ')}.`;
      expect(refusal).toMatch(new RegExp(`^${decision} is not possible: [^.]+\\. `));
      expect(refusal).toContain(now);
    }
  });

  it.each(DECISIONS)('%s is refused without a reason', (decision) => {
    for (const reason of [undefined, null, '', '  ', 5, {}]) {
      expect(refuseDecision(decision, reason, situation)).toBe(
        `${decision} needs a reason: it stands in the audit record. Send {"reason": "..."}.`,
      );
    }
  });
});

it.each<[string, Partial<Situation>, string]>([
  [
    'rollBack',
    final,
    'rollBack is not possible: Untrusting is past the point of no return. Possible now: pause, abort.',
  ],
  [
    'approve',
    {},
    'approve is not possible: the rotation is running in Trusting. Possible now: pause, rollBack, changeDrain, abort.',
  ],
  [
    'abort',
    { ...back, state: 'rolling-back' },
    'abort is not possible: the rotation is being rolled back already. Possible now: pause.',
  ],
  [
    'pause',
    byPlatform,
    'pause is not possible: in Signing the platform goes on by itself. Possible now: changeDrain, abort.',
  ],
  [
    'rollBack',
    byPlatform,
    'rollBack is not possible: Signing is past the point of no return. Possible now: changeDrain, abort.',
  ],
  [
    'changeDrain',
    { ...byPlatform, hasDrain: false },
    'changeDrain is not possible: the platform forgets the former key by itself, without a drain. Possible now: abort.',
  ],
  ['pause', { state: 'ended' }, 'pause is not possible: the rotation has ended. Nothing can be decided now.'],
  [
    'rollBack',
    { state: 'preflight', phase: 'Preflight', canRollBack: false },
    'rollBack is not possible: Preflight is under way and has changed nothing; to give up, cancel the workflow. Nothing can be decided now.',
  ],
])('%s is refused in these words', (decision, change, sentence) => {
  expect(refuseDecision(decision as 'pause', 'because', { ...base, ...change })).toBe(sentence);
});
