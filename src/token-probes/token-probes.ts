// Tries tokens of every API server at every API server and at a relying party, all the time while keys are being changed.
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiServer, MintedToken, Verdict } from '../api-servers/port.ts';
import type { ProbeCounts } from '../rotation/probe-counts.ts';
import { ProbeClient } from './probe-client.ts';
import { ProbeTally } from './probe-tally.ts';
import { RELYING_PARTY, askRelyingParty } from './ask-relying-party.ts';
import type { TokenVerifier } from './ask-relying-party.ts';

export interface TokenProbeOptions {
  readonly apiServers: readonly ApiServer[];
  /** Asked with tokens for `audience`. Default: no relying party is asked. */
  readonly relyingParty?: TokenVerifier;
  /** Audience of tokens for the relying party. */
  readonly audience: string;
  /** From the begin of one round of checks to the next, in ms. */
  readonly intervalMs: number;
  /** Age at which a client fetches a new token, in ms; kubelet does it at 80 % of the lifetime or 24 h. */
  readonly reloadAfterMs: number;
  /** Age to which slow clients go on with a former token, in ms; never beyond its expiry. Default: three times `reloadAfterMs`. */
  readonly holdMs?: number;
  /** Ends the probing; checks that are under way are finished. */
  readonly signal: AbortSignal;
  /** Told after each interval, and at once after a rejection. */
  readonly onCounts: (counts: ProbeCounts) => void;
  /** ms since the epoch. Default `Date.now`. */
  readonly now?: () => number;
  /** Jitter of reloads, 0 to 1. Default `Math.random`. */
  readonly random?: () => number;
}

/** Someone who is asked for verdicts, and the clients whose tokens are meant for it. */
interface Party {
  readonly name: string;
  readonly clients: readonly ProbeClient[];
  readonly ways: readonly ((token: string) => Promise<Verdict>)[];
}

/**
 * Runs until aborted. Each API server mints for one client with its own audience and, where there is a relying party, for one with the external
 * audience; clients that hold former tokens stand for workloads that have not reloaded yet, so that both keys are tried through the whole change.
 *
 * Every party is asked in a loop of its own, one question at a time, so one that hangs does not hold up the others; where it does not
 * answer, the rest of its round is left out. Only a `rejected` verdict on a token that is still good counts as a rejection.
 *
 * @throws what keeps tokens from being minted and does not mend itself, e.g. API_SERVER_FORBIDDEN
 */
export async function runTokenProbes(options: TokenProbeOptions): Promise<ProbeCounts> {
  const { apiServers, relyingParty, audience, intervalMs, onCounts, now = Date.now } = options;
  const tally = new ProbeTally(now);
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);

  const makeClients = (forAudience: { readonly audience?: string }): readonly ProbeClient[] =>
    apiServers.map((apiServer) => {
      const { reloadAfterMs, holdMs = 3 * reloadAfterMs, random = Math.random } = options;
      return new ProbeClient({ apiServer, reloadAfterMs, holdMs, random, ...forAudience });
    });
  const inside = makeClients({});
  const outside = relyingParty === undefined ? [] : makeClients({ audience });
  const parties: Party[] = apiServers.map((apiServer) => ({
    name: apiServer.node,
    clients: inside,
    ways: [(token) => apiServer.useToken(token), (token) => apiServer.reviewToken(token)],
  }));
  if (relyingParty !== undefined) {
    parties.push({
      name: RELYING_PARTY,
      clients: outside,
      ways: [(token) => askRelyingParty(relyingParty, token)],
    });
  }

  const repeat = async (work: () => Promise<void>): Promise<void> => {
    try {
      while (!signal.aborted) {
        const nextAt = now() + intervalMs;
        await work();
        await pause(nextAt - now(), signal);
      }
    } catch (error) {
      failed.abort();
      throw error;
    }
  };
  const check = async ({ name, clients, ways }: Party): Promise<void> => {
    for (const { mintedBy, token } of tokensOf(clients, now())) {
      for (const ask of ways) {
        if (signal.aborted) return;
        const verdict = await ask(token.token);
        tally.add(name, mintedBy, token, verdict);
        if (verdict.outcome === 'rejected') onCounts(tally.counts());
        if (verdict.outcome === 'unreachable') return;
      }
    }
  };
  const loops = [
    ...[...inside, ...outside].map((client) => repeat(() => client.reload(now()))),
    ...parties.map((party) => repeat(() => check(party))),
    repeat(async () => onCounts(tally.counts())),
  ];
  // All of them, so that nothing of ours runs on after the first failure.
  for (const loop of await Promise.allSettled(loops)) {
    if (loop.status === 'rejected') throw loop.reason;
  }
  return tally.counts();
}

function tokensOf(clients: readonly ProbeClient[], nowMs: number): readonly { mintedBy: string; token: MintedToken }[] {
  return clients.flatMap((client) => client.tokens(nowMs).map((token) => ({ mintedBy: client.mintedBy, token })));
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // Also where nothing is left to wait for: others must get a turn.
  await sleep(Math.max(ms, 1), undefined, { signal }).catch(() => undefined);
}
