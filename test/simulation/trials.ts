// The rotations with which a changed plan is tried: each single thing that can happen, right where the plan was changed, forward and back.
import fc from 'fast-check';
import type { Meddling, What } from './happenings.ts';
import type { Mutation } from './mutations.ts';
import { anyScenario, type Scenario } from './scenario.ts';
import { simulate } from './simulate.ts';

/** One rotation that has everything a plan can have. */
export const FULL: Scenario = {
  nodes: 2,
  platform: 'static-pod',
  cacheMs: 3_600_000,
  drain: { policy: 'refreshing' },
  restartMs: 40_000,
  workerSkewMs: 0,
  secrets: [],
  slowClient: false,
  probePod: true,
  nodeAgents: true,
  restarts: true,
  gates: [],
  happenings: [],
};

const MEDDLINGS: readonly Meddling[] = [
  'the new key is dropped from the JWKS',
  'the former key is dropped from the JWKS',
  'the former key is put back into the JWKS',
  'the manifests are written anew by kubeadm upgrade',
  'the signing key flag is set back by hand',
  'the controller manager is set back by hand',
  'the key store loses the new key',
  'somebody makes a token Secret and uses it',
  'a control-plane node joins with the keys of this one',
];
const NODES = [0, 1] as const;
const ANYTHING: readonly What[] = [
  ...MEDDLINGS.flatMap((meddling) => NODES.map((node): What => ({ kind: 'meddling', meddling, node }))),
  ...NODES.map((node): What => ({ kind: 'crash', node, component: 'API server' })),
  { kind: 'killed' },
];
const TOGETHER: readonly (readonly What[])[] = [
  ...ANYTHING.map((what) => [what]),
  [
    { kind: 'meddling', meddling: 'the controller manager is set back by hand', node: 0 },
    { kind: 'meddling', meddling: 'somebody makes a token Secret and uses it', node: 0 },
  ],
];
/** Before, at and after the step. */
const NEAR = [-1, 0, 1] as const;

interface Way {
  readonly scenario: Scenario;
  readonly turns: ReadonlyMap<string, number>;
}

const secret = { policy: 'refresh', used: true, moves: true } as const;

/** Of one kind of plan. */
export class Trials {
  private readonly ways: readonly Way[];
  private readonly atRandom: readonly Scenario[];

  /** @param random how many rotations besides, in which anything happens anywhere */
  constructor(full: Scenario, random: number) {
    this.ways = makeWays(full);
    this.atRandom = fc.sample(
      anyScenario.map(({ happenings, secrets }): Scenario => ({ ...full, happenings, secrets })),
      { numRuns: random, seed: 1 },
    );
  }

  /** The harm that a changed plan does; null where it was not found. */
  findHarm(mutation: Mutation): string | null {
    for (const scenario of this.trialsOf(mutation)) {
      const { harm } = simulate(scenario, mutation.variation);
      if (harm !== null) return harm;
    }
    return null;
  }

  private *trialsOf({ at }: Mutation): Generator<Scenario, void, void> {
    for (const { scenario } of this.ways) yield scenario;
    for (const { scenario, turns } of this.ways) {
      for (const id of at) {
        const turn = turns.get(id);
        if (turn === undefined) continue;
        for (const what of TOGETHER) {
          for (const near of NEAR) {
            const happenings = what.map((each) => ({ turn: turn + near, what: each }));
            yield { ...scenario, happenings: [...scenario.happenings, ...happenings] };
          }
        }
      }
    }
    yield* this.atRandom;
  }
}

/** Forward; and back from where everything was done that can be taken back, from the middle, and from before anyone signed. */
function makeWays(full: Scenario): readonly Way[] {
  const way = (scenario: Scenario): Way => ({ scenario, turns: simulate(scenario).turns });
  const forward = way(full);
  const backFrom = (id: string, also: Partial<Scenario> = {}, before?: What): Way => {
    const turn = forward.turns.get(id) ?? 0;
    const rollBack: What = { kind: 'decision', decision: 'rollBack' };
    const first = before === undefined ? [] : [{ turn, what: before }];
    return way({ ...full, ...also, happenings: [...first, { turn, what: rollBack }] });
  };
  return [
    forward,
    way({ ...full, secrets: [secret] }),
    way({ ...full, secrets: [{ policy: 'refresh', used: false, moves: false }] }),
    way({ ...full, slowClient: true }),
    backFrom('untrust/node-1'),
    backFrom('drain', { secrets: [{ policy: 'refresh', used: true, moves: false }] }),
    backFrom('sign/node-2'),
    backFrom('sign/node-1'),
    backFrom('publish-key'),
    { scenario: takenUpAndBack(full, forward), turns: new Map() },
    // Somebody has taken a token in a Secret into use that the new key has signed.
    backFrom('drain', {}, { kind: 'meddling', meddling: 'somebody makes a token Secret and uses it', node: 0 }),
  ];
}

/** A run is killed in its first wait; the next one has reached the nodes again when it is rolled back. */
function takenUpAndBack(full: Scenario, { turns }: Way): Scenario {
  const turn = turns.get('wait-for-relying-parties') ?? 0;
  const rollBack: What = { kind: 'decision', decision: 'rollBack' };
  return {
    ...full,
    happenings: [
      { turn, what: { kind: 'killed' } },
      { turn: turn + 4, what: rollBack },
    ],
  };
}
