// What guards see of the simulated world: the same facts that the real one is asked for.
import type { WaitEnds } from '../../src/activities/contract.ts';
import { violations, type GuardFacts, type GuardName, type Violation } from '../../src/rotation/guards.ts';
import type { ApiServerObservation } from '../../src/rotation/observation.ts';
import { FORMER, kidOf, kidsOf, NEXT, publicKeyOf, refsOf } from './keys.ts';
import type { SimulatedNode } from './node.ts';
import type { World } from './world.ts';

const NONE: readonly Violation[] = [];
const FORMER_KEY = publicKeyOf(FORMER);

export function violated(world: World, guards: readonly GuardName[], node: string | null, ends: WaitEnds): readonly Violation[] {
  return guards.length === 0 ? NONE : violations(guards, factsFor(world, node, ends));
}

function factsFor(world: World, node: string | null, ends: WaitEnds): GuardFacts {
  const at = (time: string | undefined) => (time === undefined ? null : Date.parse(time));
  return {
    nowMs: world.nowMs + world.workerSkewMs,
    former: FORMER_KEY,
    next: publicKeyOf(world.record?.next ?? NEXT),
    node,
    apiServers: world.nodes.map(observe),
    publicKids: kidsOf(world.jwks),
    stagedKid: world.staged === 0 ? null : kidOf(world.staged),
    legacyTokens: world.secrets.observe(world.workerTime().slice(0, 10)),
    legacyTokensTrackedSince: '2020-01-01',
    verifiedAtMs: at(world.record?.milestones.verifiedAt),
    relyingPartiesUntilMs: at(ends.relyingParties),
    drainUntilMs: at(ends.drain),
    drainNextUntilMs: at(ends.drainNext),
    policies: { allowSingleApiServer: world.options.nodes.length === 1, legacyTokens: world.secrets.policies() },
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
