// Probing fakes: what counts as a rejection, and that nobody who is away holds up the others.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { KeyturnError } from '../../src/errors.ts';
import type { ProbeCounts } from '../../src/rotation/probe-counts.ts';
import type { TokenVerifier } from '../../src/token-probes/ask-relying-party.ts';
import { runTokenProbes } from '../../src/token-probes/token-probes.ts';
import type { TokenProbeOptions } from '../../src/token-probes/token-probes.ts';
import { FakeApiServer } from '../fakes/api-server.ts';

function threeNodes(): readonly [FakeApiServer, FakeApiServer, FakeApiServer] {
  return [new FakeApiServer('node-1'), new FakeApiServer('node-2'), new FakeApiServer('node-3')];
}

/** Knows the kids of a public JWKS. */
function relyingPartyThatKnows(kids: readonly string[]): TokenVerifier {
  return {
    async verify(token) {
      const { kid, audience } = JSON.parse(token) as { kid: string; audience: string };
      if (audience !== 'outside') return { accepted: false, reason: `audience ${audience}` };
      return kids.includes(kid) ? { accepted: true } : { accepted: false, reason: `no key ${kid}` };
    },
  };
}

interface Probing {
  readonly latest: () => ProbeCounts | undefined;
  readonly until: (reached: (counts: ProbeCounts) => boolean) => Promise<void>;
  readonly stop: () => Promise<ProbeCounts>;
}

function probe(options: Partial<TokenProbeOptions> & Pick<TokenProbeOptions, 'apiServers'>): Probing {
  const stopping = new AbortController();
  let latest: ProbeCounts | undefined;
  const ended = runTokenProbes({
    audience: 'outside',
    intervalMs: 2,
    reloadAfterMs: 20,
    signal: stopping.signal,
    random: () => 0,
    ...options,
    onCounts: (counts) => {
      latest = counts;
      options.onCounts?.(counts);
    },
  });
  return {
    latest: () => latest,
    until: async (reached) => {
      for (let tries = 0; latest === undefined || !reached(latest); tries += 1) {
        if (tries === 1000) throw new Error(`never came: ${JSON.stringify(latest)}`);
        await sleep(5);
      }
    },
    stop: () => {
      stopping.abort();
      return ended;
    },
  };
}

describe('runTokenProbes', () => {
  test('tries tokens of every API server at every API server and at the relying party', async () => {
    const apiServers = threeNodes();
    const probing = probe({ apiServers, relyingParty: relyingPartyThatKnows(['former']) });
    await probing.until(({ checks, byParty }) => checks > 200 && (byParty['relying party']?.checks ?? 0) > 20);
    const counts = await probing.stop();
    expect(Object.keys(counts.byParty).toSorted()).toEqual(['node-1', 'node-2', 'node-3', 'relying party']);
    expect(counts).toMatchObject({ rejected: 0, unreachable: 0, accepted: counts.checks, rejections: [] });
    expect(counts.acceptedByKid).toEqual({ former: counts.checks });
    expect(counts.startedAt < counts.endedAt).toBe(true);
    for (const { mostInFlight } of apiServers) expect(mostInFlight).toBe(1);
  });

  test('sees no rejection where every API server trusts before any signs, and tries both keys', async () => {
    const apiServers = threeNodes();
    const probing = probe({ apiServers, relyingParty: relyingPartyThatKnows(['former', 'next']) });
    for (const apiServer of apiServers) apiServer.trusts = ['former', 'next'];
    for (const apiServer of apiServers) {
      apiServer.state = 'away';
      await sleep(10);
      apiServer.signs = 'next';
      apiServer.state = 'ready';
    }
    await probing.until(({ acceptedByKid }) => (acceptedByKid['next'] ?? 0) > 100);
    const counts = await probing.stop();
    expect(counts.rejected).toBe(0);
    expect(counts.acceptedByKid['former']).toBeGreaterThan(0);
  });

  test('sees who rejects, whose token, of which key, and tells at once', async () => {
    const apiServers = threeNodes();
    const told: number[] = [];
    const probing = probe({ apiServers, onCounts: ({ rejected }) => void told.push(rejected) });
    apiServers[1].trusts = ['former', 'next'];
    apiServers[1].signs = 'next';
    await probing.until(({ rejected }) => rejected > 0);
    const counts = await probing.stop();
    expect(told).toContain(1);
    expect(counts.byParty['node-2']).toMatchObject({ rejected: 0 });
    expect(counts.rejections[0]).toEqual({
      at: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      mintedBy: 'node-2',
      kid: 'next',
      askedOf: expect.stringMatching(/^node-[13]$/) as string,
      reason: 'no key next',
    });
  });

  test('goes on after rejections, and names the first twenty only', async () => {
    const [apiServer] = threeNodes();
    apiServer.trusts = [];
    const probing = probe({ apiServers: [apiServer] });
    await probing.until(({ rejected }) => rejected > 50);
    const counts = await probing.stop();
    expect(counts.rejections).toHaveLength(20);
    expect(counts.checks).toBe(counts.rejected);
  });

  test('an API server that is away or hangs is unreachable, and does not hold up the others', async () => {
    const apiServers = threeNodes();
    const probing = probe({ apiServers });
    await probing.until(({ checks }) => checks > 30);
    apiServers[0].state = 'away';
    apiServers[1].state = 'hangs';
    const before = apiServers[1].checks;
    await probing.until(({ byParty }) => (byParty['node-2']?.unreachable ?? 0) > 3);
    const counts = await probing.stop();
    expect(counts.rejected).toBe(0);
    // One question a round is enough to see that nobody answers.
    const hanging = apiServers[1].checks - before;
    expect(apiServers[2].checks).toBeGreaterThan(3 * hanging);
    expect(counts.byParty['node-1']?.unreachable).toBeGreaterThan(3);
  });

  test('a relying party that cannot read the JWKS has not rejected anything', async () => {
    const away: TokenVerifier = {
      verify: () =>
        Promise.reject(
          new KeyturnError('PUBLISHER_UNREACHABLE', 'no JWKS', { subject: 'x', remedy: 'y', retryable: true }),
        ),
    };
    const probing = probe({ apiServers: threeNodes(), relyingParty: away });
    await probing.until(({ byParty }) => (byParty['relying party']?.unreachable ?? 0) > 3);
    expect((await probing.stop()).rejected).toBe(0);
  });

  test('slow clients give a former token up after holdMs', async () => {
    const apiServer = new FakeApiServer('node-1');
    const probing = probe({ apiServers: [apiServer], holdMs: 40 });
    await probing.until(({ checks }) => checks > 10);
    apiServer.trusts = ['former', 'next'];
    apiServer.signs = 'next';
    await sleep(120);
    const former = probing.latest()?.acceptedByKid['former'];
    await probing.until(({ acceptedByKid }) => (acceptedByKid['next'] ?? 0) > 50);
    expect((await probing.stop()).acceptedByKid['former']).toBe(former);
  });

  test('ends with the reason where no token can ever be minted, and leaves nothing running', async () => {
    const apiServers = threeNodes();
    apiServers[1].state = 'refuses-us';
    const probing = probe({ apiServers });
    await expect(probing.stop()).rejects.toMatchObject({ code: 'API_SERVER_FORBIDDEN', subject: 'node-2' });
    const checks = apiServers[0].checks;
    await sleep(20);
    expect(apiServers[0].checks).toBe(checks);
  });

  test('ends at once where it was aborted before', async () => {
    const counts = await runTokenProbes({
      apiServers: threeNodes(),
      audience: 'outside',
      intervalMs: 60_000,
      reloadAfterMs: 60_000,
      signal: AbortSignal.abort(),
      onCounts: () => undefined,
    });
    expect(counts).toMatchObject({ checks: 0, byParty: {} });
  });

  test('holds no token in its counts', async () => {
    const apiServers = threeNodes();
    apiServers[0].trusts = [];
    const probing = probe({ apiServers, relyingParty: relyingPartyThatKnows([]) });
    await probing.until(({ rejected }) => rejected > 5);
    expect(JSON.stringify(await probing.stop())).not.toContain('number');
  });
});
