// What Keyturn must be allowed for agent pods. `deploy/rbac-pod-access.yaml` grants the same.
import type { ResourceRule } from '../../api-servers/permissions.ts';

export const AGENT_RIGHTS_MANIFEST = 'deploy/rbac-pod-access.yaml';

export function agentRights(namespace: string): readonly ResourceRule[] {
  const pod = { group: '', resource: 'pods', namespace, why: 'to reach nodes through agent pods' } as const;
  // A WebSocket begins as a GET; from Kubernetes 1.35 on the right to create is asked for, too.
  const exec = { ...pod, subresource: 'exec', why: 'to read and write files of nodes in agent pods' } as const;
  return [
    { verb: 'get', ...pod },
    { verb: 'list', ...pod },
    { verb: 'create', ...pod },
    { verb: 'delete', ...pod },
    { verb: 'get', ...exec },
    { verb: 'create', ...exec },
    { verb: 'get', group: '', resource: 'nodes', why: 'to make agent pods on control-plane nodes only' },
  ];
}
