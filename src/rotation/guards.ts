// What must be true before a step may start. Pure checks over observed facts, each named for what it demands.
import { formatDuration } from './duration.ts';
import type { KeyLayout } from './key-layout.ts';
import type { KeyRef, Kid } from './key.ts';
import { explainHold, fateOf, type LegacyTokenPolicies } from './legacy-tokens.ts';
import type { ApiServerObservation, LegacyToken } from './observation.ts';
import { findUnknownApiServer, perhapsKubeadm } from './changed-meanwhile.ts';

/** A step's guards are evaluated anew each time it starts, on facts gathered then. */
export type GuardName =
  | 'nextStaged'
  | 'nextIsPublic'
  | 'formerIsPublic'
  | 'formerIsNotPublic'
  | 'cachesExpired'
  | 'drained'
  | 'nextDrained'
  | 'othersReady'
  | 'everyoneTrustsNext'
  | 'everyoneTrustsFormer'
  | 'everyoneSignsWithNext'
  | 'nobodySignsWithNext'
  | 'nobodyTrustsNext'
  | 'nobodyTrustsFormer'
  | 'noUnknownApiServer'
  | 'noLegacyTokensOfFormer'
  | 'noLegacyTokensOfNext';

/** Everything a guard may look at. */
export interface GuardFacts {
  /** ms since the epoch, of the worker. */
  readonly nowMs: number;
  readonly former: KeyRef;
  /** Null as long as the platform that makes it has not shown it. */
  readonly next: KeyRef | null;
  /** The node that the step is about to change; null for steps that change no node. */
  readonly node: string | null;
  readonly apiServers: readonly ApiServerObservation[];
  /** Addresses of all API servers, as they say themselves in the EndpointSlice `default/kubernetes`; empty where it says nothing. */
  readonly endpointAddresses: readonly string[];
  /** The same when the rotation was planned, or taken up; empty where that was not recorded. */
  readonly plannedAddresses: readonly string[];
  /** Null where the platform changes its nodes by itself. */
  readonly keyLayout: KeyLayout | null;
  /** In every place where the JWKS is published. */
  readonly publicKids: readonly Kid[];
  /** In at least one of them. Default: `publicKids`. */
  readonly publicSomewhere?: readonly Kid[];
  readonly stagedKid: Kid | null;
  readonly legacyTokens: readonly LegacyToken[];
  /** Since which day API servers note the use of legacy tokens; null where that is not known. */
  readonly legacyTokensTrackedSince: string | null;
  /** When Verifying was proven, ms since the epoch; null before. */
  readonly verifiedAtMs: number | null;
  /** Ends of the two waits, ms since the epoch; null where the wait has not begun. */
  readonly relyingPartiesUntilMs: number | null;
  readonly drainUntilMs: number | null;
  /** End of the roll back's wait; null where it has not begun. */
  readonly drainNextUntilMs: number | null;
  readonly policies: GuardPolicies;
}

/** Recorded exceptions that an operator asked for. */
export interface GuardPolicies {
  readonly allowSingleApiServer: boolean;
  readonly legacyTokens: LegacyTokenPolicies;
}

export interface Violation {
  readonly guard: GuardName;
  /** What is not so, with the objects it is about. */
  readonly reason: string;
  /** True where time alone may mend it (an API server that restarts); false where a person must decide. */
  readonly transient: boolean;
}

/** Which costly facts a guard needs, so that only those are gathered. */
export type FactSource = 'apiServers' | 'endpoints' | 'publicJwks' | 'keyStore' | 'legacyTokens';

type KnownFacts = GuardFacts & { readonly next: KeyRef };

interface Guard {
  readonly needs: readonly FactSource[];
  readonly check: (facts: KnownFacts) => Omit<Violation, 'guard'> | null;
}

const trusts = (server: ApiServerObservation, key: KeyRef) => server.trusted.some(({ kid }) => kid === key.kid);
const names = (servers: readonly ApiServerObservation[]) => servers.map(({ node }) => node).join(', ');

const showsKeys = ({ trusted }: ApiServerObservation) => trusted.length > 0;
const showsSigner = ({ signingKid }: ApiServerObservation) => signingKid !== null;

/** Fails for each API server for which `holds` is false. What was not seen proves nothing: one that does not answer may answer later. */
function everyApiServer(
  facts: GuardFacts,
  answers: (server: ApiServerObservation) => boolean,
  holds: (server: ApiServerObservation) => boolean,
  describe: (failing: string) => string,
): Omit<Violation, 'guard'> | null {
  if (facts.apiServers.length === 0) return { reason: 'no API server was observed', transient: true };
  const away = facts.apiServers.filter(({ ready }) => !ready);
  if (away.length > 0) return { reason: `cannot be asked, since not ready: ${names(away)}`, transient: true };
  const silent = facts.apiServers.filter((server) => !answers(server));
  if (silent.length > 0) return { reason: `did not tell its keys when asked: ${names(silent)}`, transient: true };
  const failing = facts.apiServers.filter((server) => !holds(server));
  return failing.length === 0 ? null : { reason: describe(names(failing)), transient: false };
}

const CALLED = { former: 'former', next: 'new' } as const;

function everyoneTrusts(key: 'former' | 'next'): Guard {
  return {
    needs: ['apiServers'],
    check: (facts) => {
      const describe = (failing: string) =>
        `the ${CALLED[key]} key is not trusted by ${failing}${key === 'next' ? perhapsKubeadm(facts) : ''}`;
      return everyApiServer(facts, showsKeys, (server) => trusts(server, facts[key]), describe);
    },
  };
}

function nobodyTrusts(key: 'former' | 'next'): Guard {
  const describe = (failing: string) => `the ${CALLED[key]} key is still trusted by ${failing}`;
  return {
    needs: ['apiServers'],
    check: (facts) => everyApiServer(facts, showsKeys, (server) => !trusts(server, facts[key]), describe),
  };
}

const GUARDS: Readonly<Record<GuardName, Guard>> = {
  nextStaged: {
    needs: ['keyStore'],
    check: ({ stagedKid, next }) =>
      stagedKid === next.kid
        ? null
        : { reason: `the key store does not hold the new key ${next.kid}`, transient: false },
  },
  nextIsPublic: {
    needs: ['publicJwks'],
    check: ({ publicKids, next }) =>
      publicKids.includes(next.kid)
        ? null
        : { reason: `the public JWKS does not have the new key ${next.kid}`, transient: false },
  },
  formerIsPublic: {
    needs: ['publicJwks'],
    check: ({ publicKids, former }) =>
      publicKids.includes(former.kid)
        ? null
        : { reason: `the public JWKS does not have the former key ${former.kid}`, transient: false },
  },
  formerIsNotPublic: {
    needs: ['publicJwks'],
    check: ({ publicKids, publicSomewhere = publicKids, former }) =>
      publicSomewhere.includes(former.kid)
        ? { reason: `the public JWKS still has the former key ${former.kid}`, transient: false }
        : null,
  },
  cachesExpired: {
    needs: [],
    check: ({ nowMs, relyingPartiesUntilMs }) =>
      waitIsOver('relying parties may still hold a JWKS without the key', nowMs, relyingPartiesUntilMs),
  },
  drained: {
    needs: [],
    check: ({ nowMs, drainUntilMs }) => waitIsOver('tokens of the former key may still be in use', nowMs, drainUntilMs),
  },
  nextDrained: {
    needs: [],
    check: ({ nowMs, drainNextUntilMs }) =>
      waitIsOver('tokens of the new key may still be in use', nowMs, drainNextUntilMs),
  },
  // Invariant 3: at most one API server is down by our doing.
  othersReady: {
    needs: ['apiServers'],
    check: ({ apiServers, node, policies }) => {
      const others = apiServers.filter((server) => server.node !== node);
      if (apiServers.length === 0) return { reason: 'no API server was observed', transient: true };
      if (others.length === 0) {
        return policies.allowSingleApiServer
          ? null
          : { reason: 'there is no other API server to serve meanwhile', transient: false };
      }
      const down = others.filter((server) => !server.ready);
      if (down.length > 0) return { reason: `not ready: ${names(down)}`, transient: true };
      const withoutEtcd = others.filter((server) => !server.etcdHealthy);
      return withoutEtcd.length === 0
        ? null
        : { reason: `etcd is not healthy as seen by ${names(withoutEtcd)}`, transient: true };
    },
  },
  noUnknownApiServer: { needs: ['apiServers', 'endpoints'], check: findUnknownApiServer },
  // Invariant 2: nobody signs with a key that another API server does not have.
  everyoneTrustsNext: everyoneTrusts('next'),
  everyoneTrustsFormer: everyoneTrusts('former'),
  everyoneSignsWithNext: {
    needs: ['apiServers'],
    check: (facts) =>
      everyApiServer(
        facts,
        showsSigner,
        (server) => server.signingKid === facts.next.kid,
        (failing) => `the new key is not the signer of ${failing}${perhapsKubeadm(facts)}`,
      ),
  },
  nobodySignsWithNext: {
    needs: ['apiServers'],
    check: (facts) =>
      everyApiServer(
        facts,
        showsSigner,
        (server) => server.signingKid !== facts.next.kid,
        (failing) => `the new key still signs on ${failing}`,
      ),
  },
  nobodyTrustsNext: nobodyTrusts('next'),
  nobodyTrustsFormer: nobodyTrusts('former'),
  noLegacyTokensOfFormer: {
    needs: ['legacyTokens'],
    check: (facts) => noLegacyTokensOf(facts, 'former'),
  },
  noLegacyTokensOfNext: {
    needs: ['legacyTokens'],
    check: (facts) => noLegacyTokensOf(facts, 'next'),
  },
};

/** They never expire: no wait helps them. On the way back one of the new key has just been minted for somebody: it holds whether it was used or not. */
function noLegacyTokensOf(facts: KnownFacts, key: 'former' | 'next'): Omit<Violation, 'guard'> | null {
  const { legacyTokens, policies, legacyTokensTrackedSince: trackedSince } = facts;
  // A bare word comes from a run that began before uses were looked at: there each one holds.
  const looksAtUse = key === 'former' && typeof policies.legacyTokens !== 'string';
  const use = { switchedAtMs: looksAtUse ? facts.verifiedAtMs : null, trackedSince };
  const holding = legacyTokens
    .filter(({ kid }) => kid === facts[key].kid)
    .filter((token) => fateOf(token, policies.legacyTokens, use) === 'holds');
  if (holding.length === 0) return null;
  return { reason: explainHold(holding, legacyTokens, CALLED[key]), transient: false };
}

function waitIsOver(why: string, nowMs: number, untilMs: number | null): Omit<Violation, 'guard'> | null {
  if (untilMs === null) return { reason: `${why}: the wait has not begun`, transient: false };
  if (nowMs >= untilMs) return null;
  return { reason: `${why} for another ${formatDuration(untilMs - nowMs)}`, transient: true };
}

/** What must be gathered to evaluate these guards. */
export function factsNeeded(guards: readonly GuardName[]): ReadonlySet<FactSource> {
  return new Set(guards.flatMap((guard) => GUARDS[guard].needs));
}

/** All guards that do not hold; empty where the step may start. */
export function violations(guards: readonly GuardName[], facts: GuardFacts): readonly Violation[] {
  const { next } = facts;
  const known = next === null ? null : { ...facts, next };
  return guards.flatMap((guard) => {
    const violation = known === null ? ofUnknownNext(guard, facts) : GUARDS[guard].check(known);
    return violation === null ? [] : [{ guard, ...violation }];
  });
}

const SAYS_NEXT = /[nN]ext/;

/** Nothing can be said of a key that is not known; guards that do not name it hold or fail as ever. */
function ofUnknownNext(guard: GuardName, facts: GuardFacts): Omit<Violation, 'guard'> | null {
  if (SAYS_NEXT.test(guard)) return { reason: 'the new key is not known yet', transient: false };
  return GUARDS[guard].check({ ...facts, next: facts.former });
}
