// Everything that chance decides about one simulated rotation, as a value that can be generated from a seed and shrunk.
import fc from 'fast-check';
import { DECISIONS } from '../../src/rotation/decisions.ts';
import type { DrainPolicy } from '../../src/rotation/drain.ts';
import type { GateName } from '../../src/rotation/gates.ts';
import type { Fault, Happening, Meddling, What } from './happenings.ts';
import type { SecretPlan } from './legacy-secrets.ts';

export interface Scenario {
  readonly nodes: number;
  /** `served`: static pods that serve their issuer themselves. `handed-over`: the platform orders trust and signing, once it has the key. */
  readonly platform: 'static-pod' | 'served' | 'handed-over';
  /** Of `policies.relyingPartyCache`, ms. */
  readonly cacheMs: number;
  readonly drain: DrainPolicy;
  readonly restartMs: number;
  readonly workerSkewMs: number;
  readonly secrets: readonly SecretPlan[];
  readonly slowClient: boolean;
  readonly probePod: boolean;
  readonly nodeAgents: boolean;
  readonly restarts: boolean;
  readonly gates: readonly GateName[];
  readonly happenings: readonly Happening[];
}

/** Workers' clocks may be off by this, either way. */
export const WORKER_SKEW_MS = 60_000;
const HOUR_MS = 3_600_000;
/** Of the longest plan, with time to spare. */
const TURNS = 90;

const skew = fc.integer({ min: -WORKER_SKEW_MS, max: WORKER_SKEW_MS });
const part = fc.integer({ min: 0, max: 4 });

const fault: fc.Arbitrary<Fault> = fc.oneof(
  fc.record({
    fault: fc.constant('dies' as const),
    after: part,
    and: fc.constantFrom('is tried again', 'fails', 'the run is killed', 'the operator rolls back'),
  }),
  fc.record({ fault: fc.constant('sleeps' as const), after: part, turns: fc.integer({ min: 1, max: 6 }) }),
  fc.constantFrom<Fault>(
    { fault: 'is done twice' },
    { fault: 'its API server refuses the manifest' },
    { fault: 'somebody writes the JWKS meanwhile' },
  ),
  fc.record({ fault: fc.constant('its API server dies meanwhile' as const), after: part }),
  fc.record({ fault: fc.constant('takes long' as const), ms: fc.integer({ min: 60_000, max: 24 * HOUR_MS }) }),
);

const meddling: fc.Arbitrary<Meddling> = fc.constantFrom(
  'the new key is dropped from the JWKS',
  'the former key is dropped from the JWKS',
  'the former key is put back into the JWKS',
  'a foreign key is added to the JWKS',
  'the manifests are written anew by kubeadm upgrade',
  'the signing key flag is set back by hand',
  'the controller manager is set back by hand',
  'the key store loses the new key',
  'somebody makes a token Secret and uses it',
  'another controller manager leads',
  'the node leaves',
  'a control-plane node joins with the keys of this one',
);

const node = fc.integer({ min: 0, max: 6 });

const what: fc.Arbitrary<What> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('fault' as const), fault }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('meddling' as const), meddling, node }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('decision' as const),
      decision: fc.constantFrom(...DECISIONS.filter((each) => each !== 'changeDrain'), 'rollBack', 'cancel'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('crash' as const),
      node,
      component: fc.constantFrom('API server', 'controller manager'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('changeDrain' as const),
      drain: fc.constantFrom<DrainPolicy>(
        { policy: 'expiry' },
        { policy: 'refreshing' },
        { policy: 'fixed', durationMs: 30 * HOUR_MS },
        { policy: 'fixed', durationMs: HOUR_MS, allowShorter: 'accepted' },
      ),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('killed' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('another rotation is started' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('worker' as const), skewMs: skew }) },
);

const happenings = fc.array(fc.record({ turn: fc.integer({ min: 0, max: TURNS }), what }), {
  maxLength: 6,
  size: 'max',
});

const secret: fc.Arbitrary<SecretPlan> = fc.record({
  policy: fc.constantFrom('hold', 'refresh', 'keep'),
  used: fc.boolean(),
  moves: fc.boolean(),
});

export const anyScenario: fc.Arbitrary<Scenario> = fc
  .record({
    nodes: fc.integer({ min: 1, max: 7 }),
    platform: fc.constantFrom('static-pod', 'static-pod', 'served', 'handed-over'),
    cacheMs: fc.constantFrom(HOUR_MS, 10 * 60_000, 24 * HOUR_MS),
    drain: fc.constantFrom<DrainPolicy>(
      { policy: 'refreshing' },
      { policy: 'expiry' },
      { policy: 'fixed', durationMs: 48 * HOUR_MS },
    ),
    restartMs: fc.integer({ min: 1000, max: 90_000 }),
    workerSkewMs: skew,
    secrets: fc.array(secret, { maxLength: 2 }),
    slowClient: fc.boolean(),
    probePod: fc.boolean(),
    nodeAgents: fc.boolean(),
    restarts: fc.boolean(),
    gates: fc.subarray<GateName>(['signing', 'pruning', 'each-node']),
    happenings,
  })
  .map((scenario) => ({ ...scenario, slowClient: scenario.slowClient && scenario.drain.policy !== 'expiry' }));
