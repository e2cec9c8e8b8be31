// The composition root of probe pods.
import type { KubeConfig } from '@kubernetes/client-node';
import { KubeClient } from '../api-servers/kube-client.ts';
import { execInPod } from '../api-servers/pod-exec.ts';
import type { ClusterConfig } from '../config/schema.ts';
import { KubeProbePods } from '../probe-pods/kube-probe-pods.ts';
import type { ProbePods } from '../probe-pods/port.ts';

/** Null where none is configured. */
export function composeProbePods(cluster: ClusterConfig, kubeConfig: KubeConfig): ProbePods | null {
  const { pod } = cluster.verification;
  if (pod === undefined) return null;
  const { audience, tokenExpiration, tokenFile, ...others } = pod;
  return new KubeProbePods({
    ...others,
    cluster: cluster.name,
    audience: audience ?? cluster.audience,
    tokenLifetimeMs: tokenExpiration,
    ...(tokenFile === undefined ? {} : { tokenFile }),
    client: new KubeClient(kubeConfig),
    exec: (command) => execInPod(kubeConfig, command),
  });
}
