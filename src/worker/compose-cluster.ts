// The composition root of one cluster: the only place that picks adapters by what keyturn.yaml says.
import path from 'node:path';
import type { ClusterAdapters, ClusterPolicies } from '../activities/cluster-adapters.ts';
import { FormerTokens } from '../activities/former-tokens.ts';
import { KubeCluster } from '../api-servers/cluster.ts';
import { KubeClient } from '../api-servers/kube-client.ts';
import { loadKubeConfig } from '../api-servers/kube-config.ts';
import { KubeLegacySecrets } from '../api-servers/legacy-secrets.ts';
import { readStaleTokenCount } from '../api-servers/stale-tokens.ts';
import { restartWorkload } from '../api-servers/workload-restart.ts';
import { LeaseLock } from '../cluster-lock/lease.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { ClusterConfig } from '../config/schema.ts';
import type { DrainPolicy } from '../rotation/drain.ts';
import { composeKeyStore, newKeyAlgOf } from './compose-key-store.ts';
import { composePlatform } from './compose-platform.ts';
import { composeProbePods } from './compose-probe-pods.ts';
import { composeMirrors, composePublisher } from './compose-publisher.ts';
import { rulesOf } from '../rotation/legacy-tokens.ts';
import { readTextFile } from './read-secret.ts';

/**
 * Makes everything with which one cluster is reached. Touches files of the worker; asks nodes, or the cluster, for addresses of API servers
 * that are not configured, and nobody else.
 * @param access `read-only` for whoever only looks at nodes
 */
export async function composeCluster(
  config: LoadedConfig,
  cluster: ClusterConfig,
  access: 'read-write' | 'read-only' = 'read-write',
): Promise<ClusterAdapters> {
  const resolve = (file: string) => path.resolve(path.dirname(config.file), file);
  const { platform } = cluster;
  const kubeConfig = await loadKubeConfig(resolve(platform.kubeconfig), platform.context);
  const client = new KubeClient(kubeConfig);
  const {
    platform: adapter,
    nodeAgents,
    apiServers,
    auditLogs,
  } = await composePlatform({
    cluster,
    kubeConfig,
    client,
    resolve,
    access,
  });
  const ca = cluster.issuerCaFile === undefined ? undefined : await readTextFile(resolve(cluster.issuerCaFile));
  return {
    name: cluster.name,
    issuer: cluster.issuer,
    audience: cluster.audience,
    relyingParties: cluster.relyingParties,
    policies: policiesOf(cluster),
    platform: adapter,
    nodeAgents,
    apiServers,
    reads: new KubeCluster({
      client,
      namespace: platform.namespace,
      probeServiceAccount: platform.probeServiceAccount,
      restarts: cluster.policies.restartWorkloads,
    }),
    legacySecrets: new KubeLegacySecrets({ client }),
    slowClients: {
      staleTokenCounts: () => Promise.all(apiServers.map(({ node, url }) => readStaleTokenCount(node, client.at(url)))),
      auditLogs,
      restart: (workload, options) => restartWorkload(client, workload, options),
    },
    lock: new LeaseLock({ client, namespace: platform.namespace, cluster: cluster.name }),
    ...(await composePublisher(cluster, { ca, resolve, client })),
    mirrors: await composeMirrors(cluster.mirrors, { ca, resolve }),
    keyStore: await composeKeyStore(config, cluster),
    newKeyAlg: newKeyAlgOf(cluster),
    formerTokens: new FormerTokens(),
    probePods: composeProbePods(cluster, kubeConfig),
  };
}

function policiesOf({ policies, publisher }: ClusterConfig): ClusterPolicies {
  const { allowShorterCache } = publisher.type === 'api-server' ? publisher : {};
  return {
    relyingPartyCacheMs: policies.relyingPartyCache,
    ...(allowShorterCache === undefined ? {} : { allowShorterCache }),
    drain: drainPolicyOf(policies.drain),
    allowSingleApiServer: policies.allowSingleApiServer,
    legacyTokens: rulesOf(policies.legacyTokens),
    gates: policies.gates,
    discovery: policies.discovery,
    backUps: policies.backUps,
    probeIntervalMs: policies.probeInterval,
    probeReloadMs: policies.probeReload,
    slowClients: policies.slowClients,
    restartWorkloads: policies.restartWorkloads,
    restartTimeoutMs: policies.restartTimeout,
  };
}

function drainPolicyOf(drain: ClusterConfig['policies']['drain']): DrainPolicy {
  switch (drain.policy) {
    case 'refreshing':
      return { policy: 'refreshing' };
    case 'expiry':
      return { policy: 'expiry', ...(drain.bound === undefined ? {} : { boundMs: drain.bound }) };
    case 'fixed': {
      const { duration: durationMs, allowShorter } = drain;
      return { policy: 'fixed', durationMs, ...(allowShorter === undefined ? {} : { allowShorter }) };
    }
  }
}
