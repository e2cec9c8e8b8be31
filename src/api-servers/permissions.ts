// Everything that each rotation needs to do in a cluster (`deploy/rbac.yaml` grants the same), and which of what is needed the kubeconfig's user may not.
import { z } from 'zod';
import type { Problem } from '../rotation/observation.ts';
import { jsonOf } from './answer-json.ts';
import type { Verb } from './api-call.ts';
import type { KubeClient } from './kube-client.ts';
import type { ServiceAccountName } from './mint-token.ts';

export interface ResourceRule {
  readonly verb: Verb;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  /** Absent for all namespaces, or for resources without one. */
  readonly namespace?: string;
  readonly name?: string;
  readonly why: string;
  /** The file that grants it. Default deploy/rbac.yaml. */
  readonly file?: string;
}

interface PathRule {
  readonly verb: 'get';
  readonly path: string;
  readonly why: string;
}

type Rule = ResourceRule | PathRule;

function neededRules(namespace: string, probe: ServiceAccountName): readonly Rule[] {
  const lease = {
    group: 'coordination.k8s.io',
    resource: 'leases',
    namespace,
    why: "to hold the cluster's lock",
  } as const;
  const secret = {
    group: '',
    resource: 'secrets',
    namespace,
    why: 'to prove with which key the controller manager signs',
  } as const;
  return [
    { verb: 'get', path: '/readyz', why: 'to change an API server only while the others are ready' },
    { verb: 'get', path: '/openid/v1/jwks', why: 'to see which keys an API server trusts' },
    { verb: 'get', path: '/.well-known/openid-configuration', why: 'to see the issuer of an API server' },
    { verb: 'get', path: '/metrics', why: 'to see that a controller manager was restarted' },
    {
      verb: 'create',
      group: 'authentication.k8s.io',
      resource: 'tokenreviews',
      why: 'to see whether an API server accepts a token',
    },
    {
      verb: 'create',
      group: '',
      resource: 'serviceaccounts',
      subresource: 'token',
      ...probe,
      why: 'to see with which key an API server signs',
    },
    { verb: 'list', group: '', resource: 'secrets', why: 'to find legacy tokens, which die with their key' },
    { verb: 'create', ...secret },
    { verb: 'get', ...secret },
    { verb: 'delete', ...secret },
    { verb: 'get', ...lease },
    { verb: 'create', ...lease },
    { verb: 'update', ...lease },
    {
      verb: 'get',
      group: 'discovery.k8s.io',
      resource: 'endpointslices',
      namespace: 'default',
      name: 'kubernetes',
      why: "to find every API server's own address",
    },
  ];
}

const accessReview = z.object({ status: z.object({ allowed: z.boolean() }) });

/**
 * Asks the API server (SelfSubjectAccessReview, which everyone may do) for each of Keyturn's needs.
 * @param asked further rules that the configuration makes necessary
 * @returns one API_SERVER_FORBIDDEN per need that is not granted; its subject is e.g. `list secrets`
 * @throws API_SERVER_UNREACHABLE, API_SERVER_FORBIDDEN where the credentials are not accepted at all
 */
export function missingPermissions(
  client: KubeClient,
  namespace: string,
  probe: ServiceAccountName,
  asked: readonly ResourceRule[] = [],
): Promise<readonly Problem[]> {
  return missingRules(client, [...neededRules(namespace, probe), ...asked], 'deploy/rbac.yaml');
}

/** As above, for these rules. @param manifest that grants those which name no file of their own */
export async function missingRules(
  client: KubeClient,
  rules: readonly Rule[],
  manifest: string,
): Promise<readonly Problem[]> {
  const granted = await Promise.all(rules.map((rule) => isGranted(client, rule)));
  return rules
    .filter((_, index) => granted[index] !== true)
    .map((rule) => ({
      code: 'API_SERVER_FORBIDDEN',
      subject: nameOf(rule),
      message: `Keyturn may not ${nameOf(rule)}, which it needs ${rule.why}. Apply ${fileOf(rule) ?? manifest}, and bind its roles to the kubeconfig's user.`,
    }));
}

async function isGranted(client: KubeClient, rule: Rule): Promise<boolean> {
  const resource = 'selfsubjectaccessreviews.authorization.k8s.io';
  const answer = await client.call({
    verb: 'create',
    path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    resource,
    body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: attributesOf(rule) },
  });
  return jsonOf(accessReview, answer.body, resource).status.allowed;
}

function attributesOf(rule: Rule): Readonly<Record<string, unknown>> {
  if ('path' in rule) return { nonResourceAttributes: { verb: rule.verb, path: rule.path } };
  const { why: _why, file: _file, ...resourceAttributes } = rule;
  return { resourceAttributes };
}

function fileOf(rule: Rule): string | undefined {
  return 'file' in rule ? rule.file : undefined;
}

function nameOf(rule: Rule): string {
  if ('path' in rule) return `${rule.verb} ${rule.path}`;
  const resource = [rule.resource, rule.group].filter(Boolean).join('.');
  const place = rule.name === undefined ? `in namespace ${rule.namespace}` : `${rule.namespace}/${rule.name}`;
  return `${rule.verb} ${resource}${rule.subresource === undefined ? '' : `/${rule.subresource}`}${rule.namespace === undefined ? '' : ` ${place}`}`;
}
