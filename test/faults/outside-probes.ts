// Clients outside of Keyturn that reload their tokens, and a relying party that knows the public JWKS only: what they see is what counts.
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeApiServer } from '../../src/api-servers/api-server.ts';
import { KubeClient } from '../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../src/api-servers/kube-config.ts';
import { createTrustingFetch } from '../../src/publishers/trusting-fetch.ts';
import { RelyingParty } from '../../src/relying-parties/relying-party.ts';
import { mergeCounts, type ProbeCounts } from '../../src/rotation/probe-counts.ts';
import { runTokenProbes } from '../../src/token-probes/token-probes.ts';
import type { Scene } from '../integration/rotation-scene.ts';

const AUDIENCE = 'api://AzureADTokenExchange';
/** As of the scene's policies: clients are through with a former token well before the drain is. */
const RELOAD_MS = 1000;
const HOLD_MS = 3000;
const CACHE_MS = 2000;
const INTERVAL_MS = 1000;

export interface OutsideProbes {
  /** So far. */
  counts(): ProbeCounts | null;
  /** Why probing had to begin anew, e.g. an API server that refused to mint without its etcd. */
  readonly restarts: readonly string[];
  stop(): Promise<void>;
}

/** One for each node, at its own address: no cable of ours is in between. */
export async function directApiServers({ controlPlane }: Scene): Promise<readonly KubeApiServer[]> {
  const admin = new KubeClient(await loadKubeConfig(controlPlane.adminKubeconfigPath));
  const probe = { namespace: 'keyturn', name: 'keyturn-probe' };
  return controlPlane.nodes.map(
    ({ name, apiServerUrl }) => new KubeApiServer({ node: name, client: admin.at(apiServerUrl), probe }),
  );
}

export async function startOutsideProbes(scene: Scene): Promise<OutsideProbes> {
  const { blobStore, controlPlane } = scene;
  const apiServers = await directApiServers(scene);
  const fetch = createTrustingFetch(await readFile(blobStore.caPath, 'utf8'));
  const jwksUri = `${blobStore.containerUrl}/openid/v1/jwks`;
  const relyingParty = new RelyingParty({
    jwksUri,
    issuer: controlPlane.issuer,
    audience: AUDIENCE,
    cacheMs: CACHE_MS,
    fetch,
  });
  const stopping = new AbortController();
  const restarts: string[] = [];
  let over: ProbeCounts | null = null;
  let current: ProbeCounts | null = null;
  const total = () => (current === null ? over : mergeCounts(over, current));
  const running = (async () => {
    while (!stopping.signal.aborted) {
      try {
        current = await runTokenProbes({
          apiServers,
          relyingParty,
          audience: AUDIENCE,
          intervalMs: INTERVAL_MS,
          reloadAfterMs: RELOAD_MS,
          holdMs: HOLD_MS,
          signal: stopping.signal,
          onCounts: (counts) => {
            current = counts;
          },
        });
      } catch (error) {
        restarts.push(String(error));
      }
      over = total();
      current = null;
      await sleep(INTERVAL_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  })();
  return {
    counts: total,
    restarts,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
