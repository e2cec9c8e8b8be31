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
/** Guards that look at the end of a wait. */
const TIMED: readonly GuardName[] = ['cachesExpired', 'drained', 'nextDrained'];

interface Needs {
  readonly sources: ReadonlySet<FactSource>;
  readonly ends: boolean;
}
const needs = new WeakMap<readonly GuardName[], Needs>();

export function violated(
  world: World,
  guards: readonly GuardName[],
  node: string | null,
  endOf: EndOf,
): readonly Violation[] {
  if (guards.length === 0) return NONE;
  let needed = needs.get(guards);
  if (needed === undefined) {
    needed = { sources: factsNeeded(guards), ends: guards.some((guard) => TIMED.includes(guard)) };
    needs.set(guards, needed);
  }
  return violations(guards, gather(world, node, needed, endOf));
}

/** Only what is needed: this is most of the work of a simulated rotation. */
function gather(world: World, node: string | null, { sources: needed, ends }: Needs, endOf: EndOf): GuardFacts {
  const { nowMs, workerSkewMs, record, nodes, everyNode, staged, jwksAsSeen, secrets, options } = world;
  const at = (time: string | null | undefined) => (time === null || time === undefined ? null : Date.parse(time));
  return {
    nowMs: nowMs + workerSkewMs,
    former: FORMER_KEY,
    next: record === null || record.next === NEXT ? NEXT_KEY : publicKeyOf(record.next),
    node,
    apiServers: needed.has('apiServers') ? nodes.map(observe) : [],
    endpointAddresses: needed.has('endpoints') ? namesOf(everyNode.filter(({ up }) => up)) : [],
    plannedAddresses: needed.has('endpoints') ? namesOf(nodes) : [],
    keyLayout: 'in-place',
    publicKids: needed.has('publicJwks') ? kidsOf(jwksAsSeen) : [],
    stagedKid: staged === 0 ? null : kidOf(staged),
    legacyTokens: needed.has('legacyTokens') ? secrets.observe(world.workerTime().slice(0, 10)) : [],
    legacyTokensTrackedSince: '2020-01-01',
    verifiedAtMs: needed.has('legacyTokens') ? at(record?.milestones.verifiedAt) : null,
    relyingPartiesUntilMs: ends ? at(endOf('relyingParties')) : null,
    drainUntilMs: ends ? at(endOf('drain')) : null,
    drainNextUntilMs: ends ? at(endOf('drainNext')) : null,
    policies: { allowSingleApiServer: options.nodes.length === 1, legacyTokens: secrets.policies() },
  };
}

/** Each stands for its address. */
function namesOf(nodes: readonly SimulatedNode[]): readonly string[] {
  return nodes.map(({ name }) => name);
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
