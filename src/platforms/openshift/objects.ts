// The operator's objects that a rotation reads and changes, each by one call.
import { z } from 'zod';
import type { ApiCall } from '../../api-servers/api-call.ts';
import { jsonOf } from '../../api-servers/answer-json.ts';
import type { KubeClient } from '../../api-servers/kube-client.ts';
import { CERTS, KEPT_SECRET, NEXT_SECRET, OPERAND_NAMESPACE, OPERAND_SECRET, OPERATOR_NAMESPACE } from './names.ts';
import { changedMeanwhile } from './refusals.ts';

const objectMetadata = z.looseObject({ name: z.string(), resourceVersion: z.string() });
const condition = z.looseObject({
  type: z.string(),
  status: z.string(),
  reason: z.string().nullish(),
  message: z.string().nullish(),
});

const secret = z.looseObject({ metadata: objectMetadata, data: z.record(z.string(), z.string()).nullish() });
const configMap = z.looseObject({ metadata: objectMetadata, data: z.record(z.string(), z.string()).nullish() });
const kubeApiServer = z.looseObject({
  metadata: objectMetadata,
  spec: z
    .looseObject({ forceRedeploymentReason: z.string().nullish(), observedConfig: z.unknown().optional() })
    .nullish(),
  status: z
    .looseObject({
      latestAvailableRevision: z.number().nullish(),
      nodeStatuses: z
        .array(
          z.looseObject({
            nodeName: z.string(),
            currentRevision: z.number().nullish(),
            targetRevision: z.number().nullish(),
            lastFailedRevision: z.number().nullish(),
            lastFailedReason: z.string().nullish(),
            lastFailedRevisionErrors: z.array(z.string()).nullish(),
          }),
        )
        .nullish(),
      conditions: z.array(condition).nullish(),
      serviceAccountIssuers: z
        .array(z.looseObject({ name: z.string(), expirationTime: z.string().nullish() }))
        .nullish(),
    })
    .nullish(),
});
const authentication = z.looseObject({
  spec: z.looseObject({ serviceAccountIssuer: z.string().nullish() }).nullish(),
});
const clusterOperator = z.looseObject({
  status: z.looseObject({ conditions: z.array(condition).nullish() }).nullish(),
});

export type SecretObject = z.output<typeof secret>;
export type ConfigMapObject = z.output<typeof configMap>;
export type KubeApiServerObject = z.output<typeof kubeApiServer>;
export type ClusterOperatorObject = z.output<typeof clusterOperator>;

const KUBE_API_SERVER = '/apis/operator.openshift.io/v1/kubeapiservers/cluster';

export class OperatorObjects {
  readonly #client: KubeClient;

  constructor(client: KubeClient) {
    this.#client = client;
  }

  nextSecret(): Promise<SecretObject | null> {
    return this.#read(secret, secretPath(OPERATOR_NAMESPACE, NEXT_SECRET), 'secrets');
  }

  operandSecret(): Promise<SecretObject | null> {
    return this.#read(secret, secretPath(OPERAND_NAMESPACE, OPERAND_SECRET), 'secrets');
  }

  /** The pair that was to be promoted before the rotation, kept beside its successor. */
  keptSecret(): Promise<SecretObject | null> {
    return this.#read(secret, secretPath(OPERATOR_NAMESPACE, KEPT_SECRET), 'secrets');
  }

  certs(): Promise<ConfigMapObject | null> {
    return this.#read(configMap, certsPath(), 'configmaps');
  }

  /** As the API servers of that revision read it. */
  certsOfRevision(revision: number): Promise<ConfigMapObject | null> {
    return this.#read(configMap, certsPath(`-${revision}`), 'configmaps');
  }

  async kubeApiServer(): Promise<KubeApiServerObject | null> {
    return this.#read(kubeApiServer, KUBE_API_SERVER, 'kubeapiservers.operator.openshift.io');
  }

  clusterOperator(): Promise<ClusterOperatorObject | null> {
    const path = '/apis/config.openshift.io/v1/clusteroperators/kube-apiserver';
    return this.#read(clusterOperator, path, 'clusteroperators.config.openshift.io');
  }

  /** The issuer that the operator is to bring to API servers; null where it is the default one. */
  async issuer(): Promise<string | null> {
    const path = '/apis/config.openshift.io/v1/authentications/cluster';
    const found = await this.#read(authentication, path, 'authentications.config.openshift.io');
    const { serviceAccountIssuer } = found?.spec ?? {};
    return serviceAccountIssuer == null || serviceAccountIssuer === '' ? null : serviceAccountIssuer;
  }

  /** What an ended rotation left there is replaced. */
  async keepPair(data: Readonly<Record<string, string>>): Promise<void> {
    const labels = { 'app.kubernetes.io/managed-by': 'keyturn' };
    const metadata = { name: KEPT_SECRET, labels };
    const path = `/api/v1/namespaces/${OPERATOR_NAMESPACE}/secrets`;
    const body = { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata, data };
    const { status } = await this.#client.call({ verb: 'create', path, resource: 'secrets', body }, [409]);
    if (status !== 409) return;
    const kept = secretPath(OPERATOR_NAMESPACE, KEPT_SECRET);
    await this.#client.call({ verb: 'patch', path: kept, resource: 'secrets', body: { data } });
  }

  async removeKeptPair(): Promise<void> {
    const path = secretPath(OPERATOR_NAMESPACE, KEPT_SECRET);
    await this.#client.call({ verb: 'delete', path, resource: 'secrets' }, [404]);
  }

  /** @throws PLATFORM_CHANGED (retryable) where somebody changed it since it was read */
  replaceNextKey(seen: SecretObject, data: Readonly<Record<string, string>>): Promise<void> {
    return this.#patch(secretPath(OPERATOR_NAMESPACE, NEXT_SECRET), 'secrets', seen, { data });
  }

  /** @param data null takes an entry out. @throws as replaceNextKey */
  changeCerts(seen: ConfigMapObject, data: Readonly<Record<string, string | null>>): Promise<void> {
    return this.#patch(certsPath(), 'configmaps', seen, { data });
  }

  /** Has every API server started anew, one after the other. @throws as replaceNextKey */
  forceRedeployment(seen: KubeApiServerObject, reason: string): Promise<void> {
    const spec = { forceRedeploymentReason: reason };
    return this.#patch(KUBE_API_SERVER, 'kubeapiservers.operator.openshift.io', seen, { spec });
  }

  /** Null where it does not exist. */
  async #read<T>(schema: z.ZodType<T>, path: string, resource: string): Promise<T | null> {
    const { status, body } = await this.#client.call({ verb: 'get', path, resource }, [404]);
    return status === 404 ? null : jsonOf(schema, body, `${path} at ${this.#client.url}`);
  }

  /** A merge patch with the version that was read: the API server refuses it where that is no longer the present one. */
  async #patch(
    path: string,
    resource: string,
    { metadata: { name, resourceVersion } }: { readonly metadata: z.output<typeof objectMetadata> },
    change: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const call: ApiCall = { verb: 'patch', path, resource, body: { metadata: { resourceVersion }, ...change } };
    const { status } = await this.#client.call(call, [409]);
    if (status === 409) throw changedMeanwhile(name);
  }
}

function secretPath(namespace: string, name: string): string {
  return `/api/v1/namespaces/${namespace}/secrets/${name}`;
}

function certsPath(suffix = ''): string {
  return `/api/v1/namespaces/${OPERAND_NAMESPACE}/configmaps/${CERTS}${suffix}`;
}
