// What a rotation needs to do with the operator's objects, and which of it the kubeconfig's user may not.
import type { KubeClient } from '../../api-servers/kube-client.ts';
import { missingRules, type ResourceRule } from '../../api-servers/permissions.ts';
import type { Problem } from '../../rotation/observation.ts';
import { CERTS, KEPT_SECRET, NEXT_SECRET, OPERAND_NAMESPACE, OPERAND_SECRET, OPERATOR_NAMESPACE } from './names.ts';

const MANIFEST = 'deploy/rbac-openshift.yaml';

const secrets = { group: '', resource: 'secrets', namespace: OPERATOR_NAMESPACE } as const;
const kubeApiServer = { group: 'operator.openshift.io', resource: 'kubeapiservers', name: 'cluster' } as const;
const certs = { group: '', resource: 'configmaps', namespace: OPERAND_NAMESPACE } as const;

const RULES: readonly ResourceRule[] = [
  { verb: 'get', ...secrets, name: NEXT_SECRET, why: 'to see which key the operator brings next' },
  { verb: 'patch', ...secrets, name: NEXT_SECRET, why: 'to hand the new key over to the operator' },
  { verb: 'create', ...secrets, why: 'to keep the former pair for the way back' },
  { verb: 'get', ...secrets, name: KEPT_SECRET, why: 'to hand the former pair over again' },
  { verb: 'patch', ...secrets, name: KEPT_SECRET, why: 'to keep the former pair for the way back' },
  { verb: 'delete', ...secrets, name: KEPT_SECRET, why: 'to leave no former pair behind' },
  {
    verb: 'get',
    group: '',
    resource: 'secrets',
    namespace: OPERAND_NAMESPACE,
    name: OPERAND_SECRET,
    why: 'to see which key API servers sign with',
  },
  { verb: 'get', ...certs, why: 'to see which keys each revision trusts' },
  { verb: 'patch', ...certs, name: CERTS, why: 'to have the former key forgotten' },
  { verb: 'get', ...kubeApiServer, why: 'to follow the operator' },
  { verb: 'patch', ...kubeApiServer, why: 'to have API servers started anew that go on with the former key' },
  {
    verb: 'get',
    group: 'config.openshift.io',
    resource: 'clusteroperators',
    name: 'kube-apiserver',
    why: 'to see whether the operator has settled',
  },
  {
    verb: 'get',
    group: 'config.openshift.io',
    resource: 'authentications',
    name: 'cluster',
    why: 'to see which issuer API servers are to have',
  },
];

/** @throws API_SERVER_UNREACHABLE, API_SERVER_FORBIDDEN where the credentials are not accepted at all */
export function missingOperatorRights(client: KubeClient): Promise<readonly Problem[]> {
  return missingRules(client, RULES, MANIFEST);
}
