// What is asked of a cluster as a whole, through the address in its kubeconfig.
import { z } from 'zod';
import type { Kid } from '../rotation/key.ts';
import type { LegacyTokenPolicies } from '../rotation/legacy-tokens.ts';
import type { LegacyToken, LegacyTokens, Problem } from '../rotation/observation.ts';
import type { WorkloadName } from '../rotation/workload.ts';
import { jsonOf } from './answer-json.ts';
import type { KubeClient } from './kube-client.ts';
import { findLegacyTokens, readTrackedSince } from './legacy-tokens.ts';
import type { ServiceAccountName } from './mint-token.ts';
import { rulesOfRefresh, rulesOfRestarts } from './optional-permissions.ts';
import { missingPermissions } from './permissions.ts';
import { findProbeSecrets, mintLegacyToken, removeProbeSecrets } from './probe-secret.ts';
import { explainUnknownReferences, findSecretReferences } from './secret-references.ts';

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
  /** Workloads that are restarted. Default: none. */
  readonly restarts?: readonly WorkloadName[];
}

export class KubeCluster {
  readonly #client: KubeClient;
  readonly #probe: ServiceAccountName;
  readonly #restarts: readonly WorkloadName[];

  constructor(options: KubeClusterOptions) {
    this.#client = options.client;
    this.#probe = { namespace: options.namespace ?? 'keyturn', name: options.probeServiceAccount ?? 'keyturn-probe' };
    this.#restarts = options.restarts ?? [];
  }

  /**
   * What deploy/rbac.yaml would grant and the kubeconfig's user does not have; of the other files in deploy, what the policies need.
   * @throws API_SERVER_UNREACHABLE
   */
  missingPermissions(legacyTokens: LegacyTokenPolicies = 'hold'): Promise<readonly Problem[]> {
    const asked = [...rulesOfRefresh(legacyTokens), ...rulesOfRestarts(this.#restarts)];
    return missingPermissions(this.#client, this.#probe.namespace, this.#probe, asked);
  }

  /**
   * @param kids who names them is looked up for tokens of these keys; default: of every key
   * @throws API_SERVER_UNREACHABLE, API_SERVER_FORBIDDEN, API_SERVER_UNEXPECTED
   */
  async legacyTokens(kids?: readonly Kid[]): Promise<LegacyTokens> {
    const found = await findLegacyTokens(this.#client);
    const trackedSince = await readTrackedSince(this.#client);
    const isAsked = ({ kid }: LegacyToken) => kids?.includes(kid) ?? true;
    const asked = found.filter(isAsked);
    if (asked.length === 0) return { tokens: found, trackedSince, referencesUnknown: null };
    try {
      const references = await findSecretReferences(this.#client, asked);
      const tokens = found.map((token) =>
        isAsked(token) ? { ...token, references: references.get(`${token.namespace}/${token.name}`) ?? [] } : token,
      );
      return { tokens, trackedSince, referencesUnknown: null };
    } catch (error) {
      return { tokens: found, trackedSince, referencesUnknown: explainUnknownReferences(error) };
    }
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

  /** Whether kubeadm made this cluster, and would write its manifests anew. @throws API_SERVER_UNREACHABLE, API_SERVER_FORBIDDEN */
  async kubeadmConfigExists(): Promise<boolean> {
    const path = '/api/v1/namespaces/kube-system/configmaps/kubeadm-config';
    const call = { verb: 'get', path, resource: 'configmaps', object: 'kube-system/kubeadm-config' } as const;
    return (await this.#client.call(call, [404])).status !== 404;
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
