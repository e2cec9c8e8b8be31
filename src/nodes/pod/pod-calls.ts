// What is asked of the API about agent pods.
import { z } from 'zod';
import { jsonOf } from '../../api-servers/answer-json.ts';
import type { ApiCall } from '../../api-servers/api-call.ts';
import type { KubeClient } from '../../api-servers/kube-client.ts';
import type { PresentAgent } from '../port.ts';
import { AGENT_RIGHTS_MANIFEST } from './agent-rights.ts';
import { AGENT_LABELS, CLUSTER_LABEL, NODE_ANNOTATION, PURPOSE_LABEL } from './agent-manifest.ts';
import { podSchema } from './agent-state.ts';

const podList = z.object({ items: z.array(podSchema).nullable() });

/** Whatever can make a call. */
type Caller = Pick<KubeClient, 'call'>;

export function podCall(verb: 'get' | 'create' | 'delete', namespace: string, name?: string): ApiCall {
  const folder = `/api/v1/namespaces/${namespace}/pods`;
  return {
    verb,
    path: name === undefined ? folder : `${folder}/${name}`,
    resource: 'pods',
    grantedBy: AGENT_RIGHTS_MANIFEST,
    object: name === undefined ? `in namespace ${namespace}` : `${namespace}/${name}`,
  };
}

/** Gone or going is as good. Its own grace period applies: a kubelet that is away ends it when it is back. */
export async function deletePod(caller: Caller, namespace: string, name: string): Promise<void> {
  await caller.call(podCall('delete', namespace, name), [404]);
}

/** Agents of a cluster that nobody has removed yet, whoever made them. */
export async function listAgents(caller: Caller, namespace: string, cluster: string): Promise<readonly PresentAgent[]> {
  const labels = { ...AGENT_LABELS, [CLUSTER_LABEL]: cluster };
  const { body } = await caller.call({
    ...podCall('get', namespace),
    verb: 'list',
    query: {
      labelSelector: Object.entries(labels)
        .map(([label, value]) => `${label}=${value}`)
        .join(','),
    },
  });
  const { items } = jsonOf(podList, body, 'list pods');
  return (items ?? [])
    .filter(({ metadata }) => metadata.deletionTimestamp == null)
    .map(({ metadata: { name, annotations, labels: has, creationTimestamp } }) => ({
      name,
      namespace,
      node: annotations?.[NODE_ANNOTATION] ?? '',
      purpose: has?.[PURPOSE_LABEL] ?? '',
      createdAt: creationTimestamp,
    }));
}
