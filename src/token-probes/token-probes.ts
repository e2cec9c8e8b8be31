// Tries tokens of every API server at every API server and at a relying party, all the time, as clients do during a rotation.
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiServer, Verdict } from '../api-servers/port.ts';
import type { ProbeCounts } from '../rotation/probe-counts.ts';
import { askRelyingParty, RELYING_PARTY, type TokenVerifier } from './ask-relying-party.ts';
import { ProbeClient } from './probe-client.ts';
import { ProbeTally } from './probe-tally.ts';

export interface TokenProbeOptions {
  readonly apiServers: readonly ApiServer[];
  readonly relyingParty: TokenVerifier;
  /** Audience of the tokens for the relying party. */
  readonly audience: string;
  /** ms between two rounds of one asked party. */
  readonly intervalMs: number;
  /** Age in ms at which a client replaces its token. */
  readonly reloadAfterMs: number;
  readonly signal: AbortSignal;
  /** Called after each round. */
  readonly onCounts: (counts: ProbeCounts) => void;
  /** ms since the epoch */
  readonly now: () => number;
}

/** Runs until the signal is aborted. One party that is away does not hold up the others: each is asked in a loop of its own. */
export async function runTokenProbes(options: TokenProbeOptions): Promise<ProbeCounts> {
  const { apiServers, relyingParty, audience, intervalMs, reloadAfterMs, signal, onCounts, now } = options;
  const timestamp = () => new Date(now()).toISOString();
  const tally = new ProbeTally(timestamp());
  const inside = apiServers.map((apiServer) => new ProbeClient(apiServer, null));
  const outside = apiServers.map((apiServer) => new ProbeClient(apiServer, audience));

  async function repeat(round: () => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      await round();
      await sleep(intervalMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async function tryAll(
    clients: readonly ProbeClient[],
    askedOf: string,
    ask: (token: string) => Promise<Verdict>,
  ): Promise<void> {
    for (const token of clients.flatMap((client) => client.valid(now()))) {
      if (signal.aborted) return;
      tally.add(token, askedOf, await ask(token.token), timestamp());
    }
    onCounts(tally.counts(timestamp()));
  }

  await Promise.all([
    ...[...inside, ...outside].map((client) => repeat(() => client.reload(reloadAfterMs, now()))),
    ...apiServers.map((asked) => repeat(() => tryAll(inside, asked.node, (token) => asked.useToken(token)))),
    repeat(() => tryAll(outside, RELYING_PARTY, (token) => askRelyingParty(relyingParty, token))),
  ]);
  return tally.counts(timestamp());
}
