// The demo's own workloads: clients that reload their tokens and an outside relying party, independent of the worker's probes.
import { readFile } from 'node:fs/promises';
import { KubeApiServer } from '../api-servers/api-server.ts';
import { KubeClient } from '../api-servers/kube-client.ts';
import { loadKubeConfig } from '../api-servers/kube-config.ts';
import { createTrustingFetch } from '../publishers/trusting-fetch.ts';
import { RelyingParty } from '../relying-parties/relying-party.ts';
import type { ProbeCounts } from '../rotation/probe-counts.ts';
import { runTokenProbes } from '../token-probes/token-probes.ts';
import type { BlobStore } from './blob-store.ts';
import type { ControlPlane } from './control-plane/control-plane.ts';

const AUDIENCE = 'api://AzureADTokenExchange';

export interface Workloads {
  stop(): Promise<ProbeCounts>;
}

export interface WorkloadOptions {
  /** For how long the relying party may hold the JWKS, ms. */
  readonly cacheMs: number;
  readonly intervalMs: number;
  readonly reloadAfterMs: number;
  /** Where the relying party reads the JWKS. Default: in the object store. */
  readonly publicJwks?: { readonly url: string; readonly ca?: string };
}

/** Made by deploy/rbac.yaml: there from the start, and without rights. */
const PROBE = { namespace: 'keyturn', name: 'keyturn-probe' } as const;

export async function startWorkloads(
  { controlPlane, blobStore }: { readonly controlPlane: ControlPlane; readonly blobStore: BlobStore },
  { cacheMs, intervalMs, reloadAfterMs, publicJwks }: WorkloadOptions,
): Promise<Workloads> {
  const client = new KubeClient(await loadKubeConfig(controlPlane.adminKubeconfigPath));
  const { url, ca } = publicJwks ?? {
    url: `${blobStore.containerUrl}/openid/v1/jwks`,
    ca: await readFile(blobStore.caPath, 'utf8'),
  };
  const stopping = new AbortController();
  const counts = runTokenProbes({
    apiServers: controlPlane.nodes.map(
      ({ name, apiServerUrl }) =>
        new KubeApiServer({
          node: name,
          client: client.at(apiServerUrl),
          probe: PROBE,
        }),
    ),
    relyingParty: new RelyingParty({
      jwksUri: url,
      issuer: controlPlane.issuer,
      audience: AUDIENCE,
      cacheMs,
      fetch: createTrustingFetch(ca),
    }),
    audience: AUDIENCE,
    intervalMs,
    reloadAfterMs,
    signal: stopping.signal,
    onCounts: () => undefined,
    now: Date.now,
  });
  return {
    stop: () => {
      stopping.abort();
      return counts;
    },
  };
}
