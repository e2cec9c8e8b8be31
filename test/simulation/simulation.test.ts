// A part of `npm run simulate` for every change: rotations in which anything happens, from fixed seeds.
import { describe, expect, it } from 'vitest';
import { explore } from './explore.ts';
import { exploreOnAllCores } from './explore-on-all-cores.ts';
import type { Meddling } from './happenings.ts';
import { simulate } from './simulate.ts';
import type { Scenario } from './scenario.ts';

const QUIET: Scenario = {
  nodes: 3,
  platform: 'static-pod',
  cacheMs: 3_600_000,
  drain: { policy: 'refreshing' },
  restartMs: 40_000,
  workerSkewMs: 0,
  secrets: [],
  slowClient: false,
  probePod: false,
  nodeAgents: false,
  restarts: false,
  gates: [],
  happenings: [],
};

describe('a rotation in which nothing happens', () => {
  it.each([1, 2, 3, 5, 7])('comes to its end with %i API server(s)', (nodes) => {
    expect(simulate({ ...QUIET, nodes })).toMatchObject({ harm: null, ending: 'completed' });
  });

  it('tells its story in sentences, with the time', () => {
    const { story } = simulate(QUIET, {}, true);
    expect(story).toContain('0d 00:00 Add the new key to the public JWKS and read it back at the public URL.');
    expect(story).toContain('0d 01:02 Let the API server of node-1 sign with the new key.');
  });
});

describe('a rotation that was killed before it could write its record', () => {
  it('leaves no key, where the next run is rolled back before it has done anything', () => {
    const happenings: Scenario['happenings'] = [
      { turn: 0, what: { kind: 'fault', fault: { fault: 'dies', after: 1, and: 'the run is killed' } } },
      { turn: 1, what: { kind: 'decision', decision: 'abort' } },
    ];
    expect(simulate({ ...QUIET, happenings })).toMatchObject({ harm: null, ending: 'rolled-back' });
  });
});

describe('what others break while an API server is on its way to the new key', () => {
  const meanwhile = (meddling: Meddling, node: number): Scenario['happenings'] => [
    { turn: 13, what: { kind: 'fault', fault: { fault: 'sleeps', after: 2, turns: 1 } } },
    { turn: 15, what: { kind: 'meddling', meddling, node } },
  ];

  it.each<{ meddling: Meddling; node: number }>([
    { meddling: 'the new key is dropped from the JWKS', node: 0 },
    { meddling: 'the manifests are written anew by kubeadm upgrade', node: 1 },
  ])('is held, and theirs to answer for: $meddling', ({ meddling, node }) => {
    const scenario = { ...QUIET, nodeAgents: true, gates: ['signing'], happenings: meanwhile(meddling, node) } as const;
    const { harm, ending, story } = simulate(scenario, {}, true);
    expect({ harm, ending }).toEqual({ harm: null, ending: 'completed' });
    expect(story.join('\n')).toMatch(/Held at .*\[GUARD_FAILED\]/);
  });
});

describe('whatever happens', () => {
  it('nobody is harmed, and there is an end', { timeout: 120_000 }, async () => {
    const { runs, endings, harm, story } = await exploreOnAllCores(4000, 7);
    expect(story.join('\n')).toBe('');
    expect({ runs, harm }).toEqual({ runs: 4000, harm: null });
    // Both ways are gone, often.
    expect(endings['completed']).toBeGreaterThan(3000);
    expect(endings['rolled-back']).toBeGreaterThan(300);
  });

  it('the same seed gives the same rotations', () => {
    expect(explore({ runs: 50, seed: 3 })).toEqual(explore({ runs: 50, seed: 3 }));
    expect(explore({ runs: 50, seed: 3 }).events).not.toBe(explore({ runs: 50, seed: 4 }).events);
  });

  it('however many cores there are', { timeout: 60_000 }, async () => {
    expect(await exploreOnAllCores(50, 3)).toEqual(explore({ runs: 50, seed: 3 }));
    const many = await exploreOnAllCores(1050, 3);
    expect(many.runs).toBe(1050);
    expect(many).toEqual(await exploreOnAllCores(1050, 3));
  });
});

describe('it is found, and told as a short story,', () => {
  it('that nobody waits for the caches of relying parties', { timeout: 60_000 }, () => {
    const found = explore({
      runs: 2000,
      seed: 1,
      variation: {
        plan: (plan) => ({
          ...plan,
          steps: plan.steps
            .filter(({ action }) => action.type !== 'wait' || action.wait !== 'relyingParties')
            .map((step) => ({ ...step, guards: step.guards.filter((guard) => guard !== 'cachesExpired') })),
        }),
      },
    });
    expect(found.harm).toBe('invariant 1: a relying party rejects a valid token of the new key');
    expect(found.scenario).toMatchObject({ nodes: 1, happenings: [] });
    expect(found.story.at(-1)).toBe('0d 00:00 Let the API server of node-1 sign with the new key.');
  });
});
