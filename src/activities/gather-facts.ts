// Observes what a step's guards need to know, and no more.

import { factsNeeded, type GuardFacts } from '../rotation/guards.ts';
import { FORMER_KEY_LAYOUT, type KeyLayout } from '../rotation/key-layout.ts';
import type { RotationRecord } from '../rotation/record.ts';
import type { ClusterAdapters } from './cluster-adapters.ts';
import type { StepInput } from './contract.ts';
import { readAllPublicKids } from './publications.ts';

export async function gatherFacts(
  adapters: ClusterAdapters,
  input: StepInput,
  record: RotationRecord,
  nowMs: number,
): Promise<GuardFacts> {
  const needed = factsNeeded(input.guards);
  const end = (time: string | undefined) => (time === undefined ? null : Date.parse(time));
  const [apiServers, endpointAddresses, publicKids, staged, legacyTokens] = await Promise.all([
    needed.has('apiServers') ? adapters.platform.observeApiServers() : [],
    needed.has('endpoints') ? adapters.reads.apiServerAddresses() : [],
    needed.has('publicJwks') ? readAllPublicKids(adapters) : { everywhere: [], somewhere: [] },
    needed.has('keyStore') ? adapters.keyStore.staged(adapters.name) : undefined,
    needed.has('legacyTokens')
      ? adapters.reads.legacyTokens(record.next === null ? [record.former.kid] : [record.former.kid, record.next.kid])
      : null,
  ]);
  return {
    nowMs,
    former: record.former,
    next: record.next,
    node: input.node,
    apiServers,
    endpointAddresses,
    plannedAddresses: record.apiServerAddresses ?? [],
    keyLayout: keyLayoutOf(record),
    publicKids: publicKids.everywhere,
    publicSomewhere: publicKids.somewhere,
    stagedKid: staged?.kid ?? null,
    legacyTokens: legacyTokens?.tokens ?? [],
    legacyTokensTrackedSince: legacyTokens?.trackedSince ?? null,
    verifiedAtMs: end(record.milestones.verifiedAt),
    relyingPartiesUntilMs: end(input.waitEnds.relyingParties),
    drainUntilMs: end(input.waitEnds.drain),
    drainNextUntilMs: end(input.waitEnds.drainNext),
    policies: input.policies,
  };
}

function keyLayoutOf({ layouts: [first] }: RotationRecord): KeyLayout | null {
  return first === undefined ? null : (first.keyLayout ?? FORMER_KEY_LAYOUT);
}
