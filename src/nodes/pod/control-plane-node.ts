// The Node object of a control-plane node: it exists, it is one, and these are its addresses.
import { z } from 'zod';
import { jsonOf } from '../../api-servers/answer-json.ts';
import type { KubeClient } from '../../api-servers/kube-client.ts';
import { AGENT_RIGHTS_MANIFEST } from './agent-rights.ts';
import { noSuchNode, notControlPlane } from './agent-errors.ts';

/** Of today, and of before Kubernetes 1.24. */
const ROLE_LABELS = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master'];

const nodeSchema = z.object({
  metadata: z.object({ labels: z.record(z.string(), z.string()).nullish() }),
  status: z.object({ addresses: z.array(z.object({ address: z.string() })).nullish() }),
});

/** @throws NODE_UNREACHABLE where there is no such node; CONFIG_INVALID where it is no control-plane node; API_SERVER_UNREACHABLE */
export async function findControlPlaneNode(
  caller: Pick<KubeClient, 'call'>,
  name: string,
  requireLabel: boolean,
): Promise<{ readonly addresses: readonly string[] }> {
  const call = {
    verb: 'get',
    path: `/api/v1/nodes/${name}`,
    resource: 'nodes',
    object: name,
    grantedBy: AGENT_RIGHTS_MANIFEST,
  } as const;
  const { status, body } = await caller.call(call, [404]);
  if (status === 404) throw noSuchNode(name);
  const node = jsonOf(nodeSchema, body, `get nodes ${name}`);
  const labels = node.metadata.labels ?? {};
  if (requireLabel && ROLE_LABELS.every((label) => !(label in labels))) throw notControlPlane(name);
  return { addresses: (node.status.addresses ?? []).map(({ address }) => address) };
}
