// What guards see of the simulated world: the same facts that the real one is asked for, and no more than they need.
import {
  factsNeeded,
  violations,
  type FactSource,
  type GuardFacts,
  type GuardName,
  type Violation,
} from '../../src/rotation/guards.ts';
import type { ApiServerObservation } from '../../src/rotation/observation.ts';
import type { WaitType } from '../../src/rotation/plan.ts';
import { FORMER, kidOf, kidsOf, NEXT, publicKeyOf, refsOf } from './keys.ts';
import type { SimulatedNode } from './node.ts';
import type { World } from './world.ts';

/** RFC 3339; null where the wait has not begun. */
export type EndOf = (wait: WaitType) => string | null;

const NONE: readonly Violation[] = [];
const FORMER_KEY = publicKeyOf(FORMER);
const NEXT_KEY = publicKeyOf(NEXT);
const needs = new WeakMap<readonly GuardName[], ReadonlySet<FactSource>>();

export function violated(
  world: World,
  guards: readonly GuardName[],
  node: string | null,
  endOf: EndOf,
): readonly Violation[] {
  if (guards.length === 0) return NONE;
  let needed = needs.get(guards);
  if (needed === undefined) needs.set(guards, (needed = factsNeeded(guards)));
  return violations(guards, gather(world, node, needed, endOf));
}

function gather(world: World, node: string | null, needed: ReadonlySet<FactSource>, endOf: EndOf): GuardFacts {
  const { nowMs, workerSkewMs, record, nodes, staged, jwks, secrets, options } = world;
  const at = (time: string | null | undefined) => (time === null || time === undefined ? null : Date.parse(time));
  return {
    nowMs: nowMs + workerSkewMs,
    former: FORMER_KEY,
    next: record === null || record.next === NEXT ? NEXT_KEY : publicKeyOf(record.next),
    node,
    apiServers: needed.has('apiServers') ? nodes.map(observe) : [],
    // Nodes that join are not simulated: the EndpointSlice says nothing.
    endpointAddresses: [],
    plannedAddresses: [],
    keyLayout: 'in-place',
    publicKids: needed.has('publicJwks') ? kidsOf(jwks) : [],
    stagedKid: staged === 0 ? null : kidOf(staged),
    legacyTokens: needed.has('legacyTokens') ? secrets.observe(world.workerTime().slice(0, 10)) : [],
    legacyTokensTrackedSince: '2020-01-01',
    // Told when they are asked for: most guards do not.
    get verifiedAtMs() {
      return at(record?.milestones.verifiedAt);
    },
    get relyingPartiesUntilMs() {
      return at(endOf('relyingParties'));
    },
    get drainUntilMs() {
      return at(endOf('drain'));
    },
    get drainNextUntilMs() {
      return at(endOf('drainNext'));
    },
    policies: { allowSingleApiServer: options.nodes.length === 1, legacyTokens: secrets.policies() },
  };
}

function observe({ name, up, trusted, signer }: SimulatedNode): ApiServerObservation {
  return {
    node: name,
    url: name,
    ready: up,
    etcdHealthy: up,
    trusted: up ? refsOf(trusted) : [],
    signingKid: up ? kidOf(signer) : null,
    issuer: up ? 'https://issuer.example' : null,
  };
}
