// Probing real API servers: none is rejected over a change of the signer; tokens that another server cannot know are.
import { createLocalJWKSet, jwtVerify } from 'jose';
import type { JSONWebKeySet } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KubeApiServer } from '../../../src/api-servers/api-server.ts';
import { KubeClient } from '../../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../../src/api-servers/kube-config.ts';
import { applyManifest } from '../../../src/demo/control-plane/apply-manifest.ts';
import type { ProbeCounts } from '../../../src/rotation/probe-counts.ts';
import type { TokenVerifier } from '../../../src/token-probes/ask-relying-party.ts';
import { runTokenProbes } from '../../../src/token-probes/token-probes.ts';
import { verifyTokens } from '../../../src/token-probes/verify-tokens.ts';
import { startSingleApiServer } from '../../fixtures/single-api-server.ts';
import type { SingleApiServer } from '../../fixtures/single-api-server.ts';

const audience = 'api://outside';
let server: SingleApiServer;
let stranger: SingleApiServer;
beforeAll(async () => {
  [server, stranger] = await Promise.all([startSingleApiServer(), startSingleApiServer()]);
  for (const each of [server, stranger]) await applyManifest(await each.kubeConfig('admin'), 'deploy/rbac.yaml');
});
afterAll(() => Promise.all([server.stop(), stranger.stop()]));

async function apiServer(of: SingleApiServer, node: string): Promise<KubeApiServer> {
  const client = new KubeClient(await loadKubeConfig(await of.kubeConfig('keyturn')));
  return new KubeApiServer({ node, client, probe: { namespace: 'keyturn', name: 'keyturn-probe' } });
}

/** A relying party whose copy of the JWKS is the server's of now. */
async function relyingParty(): Promise<TokenVerifier> {
  const { body } = await server.asAdmin('GET', '/openid/v1/jwks');
  const keys = createLocalJWKSet(body as JSONWebKeySet);
  return {
    verify: (token) =>
      jwtVerify(token, keys, { audience, issuer: server.issuer }).then(
        () => ({ accepted: true }),
        (error: unknown) => ({ accepted: false, reason: String(error) }),
      ),
  };
}

test('none is rejected while the signer changes, and tokens of both keys are tried', async () => {
  const node = await apiServer(server, 'node-1');
  const [former, next] = await node.publishedKeys();
  const formerToken = await node.mintToken();
  const stopping = new AbortController();
  let latest: ProbeCounts | undefined;
  const probing = runTokenProbes({
    apiServers: [node],
    relyingParty: await relyingParty(),
    audience,
    intervalMs: 50,
    reloadAfterMs: 1000,
    holdMs: 60_000,
    signal: stopping.signal,
    onCounts: (counts) => {
      latest = counts;
    },
  });
  const accepted = (kid: string | undefined): number => latest?.acceptedByKid[kid ?? ''] ?? 0;
  await expect.poll(() => accepted(former?.kid), { timeout: 20_000 }).toBeGreaterThan(5);
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await server.signal(signal);
    await server.start(2);
  }
  await expect.poll(() => accepted(next?.kid), { timeout: 20_000 }).toBeGreaterThan(30);
  stopping.abort();
  const counts = await probing;
  expect(counts.rejections).toEqual([]);
  expect(counts.rejected).toBe(0);
  expect(counts.byParty['node-1']?.unreachable).toBeGreaterThan(0);
  expect(counts.byParty['relying party']).toMatchObject({ rejected: 0, unreachable: 0 });
  expect(new Set(Object.keys(counts.acceptedByKid))).toEqual(new Set([former?.kid, next?.kid]));

  const proofs = await verifyTokens({
    apiServers: [node],
    expectedKid: next?.kid ?? '',
    relyingParty: await relyingParty(),
    audience,
    formerTokens: [{ node: 'node-1', token: formerToken }],
  });
  expect(proofs.map(({ kid, how, outcome }) => [kid === former?.kid ? 'former' : 'next', how, outcome])).toEqual([
    ['next', 'review', 'accepted'],
    ['next', 'request', 'accepted'],
    ['former', 'review', 'accepted'],
    ['former', 'request', 'accepted'],
    ['next', 'jwks', 'accepted'],
  ]);
});

test('tokens that another API server cannot know are rejected by it, and by the relying party', async () => {
  const apiServers = [await apiServer(server, 'node-1'), await apiServer(stranger, 'node-2')];
  const stopping = new AbortController();
  const probing = runTokenProbes({
    apiServers,
    relyingParty: await relyingParty(),
    audience,
    intervalMs: 20,
    reloadAfterMs: 60_000,
    signal: stopping.signal,
    onCounts: ({ byParty }) => {
      const parties = Object.values(byParty);
      if (parties.length === 3 && parties.every(({ rejected }) => rejected > 0)) stopping.abort();
    },
  });
  const { rejections, rejected, accepted } = await probing;
  expect(rejected).toBeGreaterThan(0);
  expect(accepted).toBeGreaterThan(0);
  const who = new Set(rejections.map(({ mintedBy, askedOf }) => `${mintedBy} at ${askedOf}`));
  expect([...who].toSorted()).toEqual(['node-1 at node-2', 'node-2 at node-1', 'node-2 at relying party']);
  await expect(
    verifyTokens({ apiServers, expectedKid: (await apiServers[0]?.mintToken())?.kid ?? '', audience }),
  ).rejects.toMatchObject({ code: 'EFFECT_MISSING', details: { node: 'node-2' } });
});
