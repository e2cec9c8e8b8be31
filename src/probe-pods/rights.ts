// What probe pods need in their namespace. `deploy/rbac-verification-pod.yaml` grants the same.
import type { ResourceRule } from '../api-servers/permissions.ts';
import { SERVICE_ACCOUNT } from './objects.ts';

export const RIGHTS_MANIFEST = 'deploy/rbac-verification-pod.yaml';

export function neededRights(namespace: string): readonly ResourceRule[] {
  const pods = { group: '', resource: 'pods', namespace, why: 'for the probe pods of Verifying' } as const;
  const exec = { ...pods, subresource: 'exec', why: 'to read the token of a probe pod' } as const;
  const accounts = { ...pods, resource: 'serviceaccounts', why: 'for the ServiceAccount of the probe pods' } as const;
  return [
    { verb: 'list', ...pods },
    { verb: 'get', ...pods },
    { verb: 'create', ...pods },
    { verb: 'delete', ...pods },
    // A WebSocket begins as a GET: API servers ask for `get`, and since 1.35 for `create` too.
    { verb: 'get', ...exec },
    { verb: 'create', ...exec },
    { verb: 'create', ...accounts },
    { verb: 'get', ...accounts, name: SERVICE_ACCOUNT },
    { verb: 'delete', ...accounts, name: SERVICE_ACCOUNT },
    {
      verb: 'get',
      group: '',
      resource: 'namespaces',
      namespace,
      name: namespace,
      why: 'to see whose the namespace of the probe pods is',
    },
  ];
}
