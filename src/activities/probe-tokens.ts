// The long activity that probes tokens beside the steps. Its heartbeat carries the counts, so that the next attempt goes on from them.
import { activityInfo, heartbeat } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { RelyingParty } from '../relying-parties/relying-party.ts';
import { mergeCounts, type ProbeCounts } from '../rotation/probe-counts.ts';
import { runTokenProbes } from '../token-probes/token-probes.ts';
import type { ClusterAdapters } from './cluster-adapters.ts';

/**
 * Runs until `signal` is aborted, and gives the counts.
 * @throws TOKEN_REJECTED (not retryable) at the first rejection, the counts in the details
 */
export async function probeTokens(adapters: ClusterAdapters, signal: AbortSignal): Promise<ProbeCounts> {
  const { publicIssuer, issuer, audience, apiServers, policies } = adapters;
  const before = (activityInfo().heartbeatDetails as ProbeCounts | undefined) ?? null;
  const rejected = new AbortController();
  const counts = await runTokenProbes({
    apiServers,
    // The slowest relying party that the configuration allows: it reads the JWKS again only when its copy is that old.
    relyingParty: new RelyingParty({
      jwksUri: publicIssuer.jwksUrl,
      issuer,
      audience,
      cacheMs: policies.relyingPartyCacheMs,
      fetch: publicIssuer.fetch,
    }),
    audience,
    intervalMs: policies.probeIntervalMs,
    reloadAfterMs: policies.probeReloadMs,
    signal: AbortSignal.any([signal, rejected.signal]),
    onCounts: (soFar) => {
      heartbeat(mergeCounts(before, soFar));
      if (soFar.rejected > 0) rejected.abort();
    },
    now: Date.now,
  });
  const total = mergeCounts(before, counts);
  if (counts.rejected === 0) return total;
  const [first] = counts.rejections;
  throw ApplicationFailure.create({
    type: 'TOKEN_REJECTED',
    nonRetryable: true,
    message:
      `A valid token was rejected: minted by ${first?.mintedBy ?? 'unknown'} with ${first?.kid ?? 'unknown'}, ` +
      `refused by ${first?.askedOf ?? 'unknown'} (${first?.reason ?? 'no reason given'}). All keys stay trusted and published; find out why, then retry or roll back.`,
    details: [total],
  });
}
