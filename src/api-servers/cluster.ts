// What is asked of a cluster as a whole, through the address in its kubeconfig.
import { z } from 'zod';
import type { Kid } from '../rotation/key.ts';
import type { LegacyToken, Problem } from '../rotation/observation.ts';
import { jsonOf } from './answer-json.ts';
import type { KubeClient } from './kube-client.ts';
import { findLegacyTokens } from './legacy-tokens.ts';
import type { ServiceAccountName } from './mint-token.ts';
import { missingPermissions } from './permissions.ts';
import { findProbeSecrets, mintLegacyToken, removeProbeSecrets } from './probe-secret.ts';

const endpointSlice = z.object({
  endpoints: z.array(z.object({ addresses: z.array(z.string()) })).nullish(),
  ports: z.array(z.object({ port: z.number().nullish() })).nullish(),
});

export interface KubeClusterOptions {
  readonly client: KubeClient;
  /** Keyturn's namespace has its Lease, the probe ServiceAccount and temporary Secrets. Default `keyturn`. */
  readonly namespace?: string;
  /** Default `keyturn-probe`. */
  readonly probeServiceAccount?: string;
}

export class KubeCluster {
  readonly #client: KubeClient;
  readonly #probe: ServiceAccountName;

  constructor(options: KubeClusterOptions) {
    this.#client = options.client;
    this.#probe = { namespace: options.namespace ?? 'keyturn', name: options.probeServiceAccount ?? 'keyturn-probe' };
  }

  /** What deploy/rbac.yaml would grant and the kubeconfig's user does not have. @throws API_SERVER_UNREACHABLE */
  missingPermissions(): Promise<readonly Problem[]> {
    return missingPermissions(this.#client, this.#probe.namespace, this.#probe);
  }

  /** @throws API_SERVER_UNREACHABLE, API_SERVER_FORBIDDEN, API_SERVER_UNEXPECTED */
  legacyTokens(): Promise<readonly LegacyToken[]> {
    return findLegacyTokens(this.#client);
  }

  /**
   * `https://address:port` of every API server, from the EndpointSlice `kubernetes` that they keep themselves; empty where there is none
   * (`--endpoint-reconciler-type=none`). @throws API_SERVER_UNREACHABLE, API_SERVER_FORBIDDEN
   */
  async apiServerAddresses(): Promise<readonly string[]> {
    const path = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes';
    const resource = 'endpointslices.discovery.k8s.io';
    const answer = await this.#client.call({ verb: 'get', path, resource, object: 'default/kubernetes' }, [404]);
    if (answer.status === 404) return [];
    const { endpoints, ports } = jsonOf(endpointSlice, answer.body, `get ${resource}`);
    const port = ports?.[0]?.port ?? 443;
    const addresses = (endpoints ?? []).flatMap((endpoint) => endpoint.addresses);
    return addresses.map((address) => `https://${address.includes(':') ? `[${address}]` : address}:${port}`);
  }

  /** The kid with which the leading controller manager signs. @param timeoutMs default 30 s @throws EFFECT_MISSING (retryable), as above */
  mintLegacyToken(timeoutMs = 30_000): Promise<Kid> {
    return mintLegacyToken(this.#client, this.#probe, timeoutMs);
  }

  /** Names of temporary Secrets: one that a step uses now, or that a run which died left behind. */
  leftovers(): Promise<readonly string[]> {
    return findProbeSecrets(this.#client, this.#probe.namespace);
  }

  /** Removes temporary Secrets that a run which died left behind. @returns how many */
  removeLeftovers(): Promise<number> {
    return removeProbeSecrets(this.#client, this.#probe.namespace);
  }
}
