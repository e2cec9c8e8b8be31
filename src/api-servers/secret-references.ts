// Finds who names a Secret: pods with the workload that they belong to, pod templates, ServiceAccounts.
import { z } from 'zod';
import { KeyturnError } from '../errors.ts';
import type { SecretReference } from '../rotation/observation.ts';
import { jsonOf } from './answer-json.ts';
import type { KubeClient } from './kube-client.ts';
import { listAll } from './list-pages.ts';
import { podSpec, secretsOf, type NamedSecret } from './pod-secrets.ts';

interface SecretName {
  readonly namespace: string;
  readonly name: string;
}

/** By `namespace/name`; a Secret that nobody names is not in it. */
export type ReferencesBySecret = ReadonlyMap<string, readonly SecretReference[]>;

const owners = z.array(z.object({ kind: z.string(), name: z.string(), controller: z.boolean().optional() })).optional();
const metadata = z.object({ namespace: z.string(), name: z.string(), ownerReferences: owners });
const owned = z.object({ metadata });
const pod = z.object({ metadata, spec: podSpec, status: z.object({ phase: z.string().optional() }).optional() });
const template = z.object({ spec: podSpec });
const workload = z.object({ metadata, spec: z.object({ template }) });
const cronJob = z.object({ metadata, spec: z.object({ jobTemplate: z.object({ spec: z.object({ template }) }) }) });
const names = z.array(z.object({ name: z.string().optional() })).nullish();
const serviceAccount = z.object({ metadata, secrets: names, imagePullSecrets: names });

/** Up to so many namespaces are looked through one by one; for more the whole cluster is. */
const MAX_NAMESPACES = 5;
const PAGE_SIZE = 500;

/** Owners that are made by another one: its name says more to people. */
const MADE_BY_ANOTHER: Readonly<Record<string, { readonly path: string; readonly resource: string }>> = {
  ReplicaSet: { path: '/apis/apps/v1', resource: 'replicasets.apps' },
  Job: { path: '/apis/batch/v1', resource: 'jobs.batch' },
};

/**
 * Finished pods do not count. @throws API_SERVER_UNREACHABLE, API_SERVER_FORBIDDEN where one of the kinds may not be read: then nothing is known
 */
export async function findSecretReferences(
  client: KubeClient,
  secrets: readonly SecretName[],
): Promise<ReferencesBySecret> {
  const wanted = new Set(secrets.map(({ namespace, name }) => `${namespace}/${name}`));
  const found = new Map<string, SecretReference[]>();
  const add = (namespace: string, named: readonly NamedSecret[], by: Omit<SecretReference, 'how'>) => {
    for (const { secret, how } of named) {
      const key = `${namespace}/${secret}`;
      if (!wanted.has(key)) continue;
      const known = found.get(key) ?? [];
      const same = known.find((each) => each.kind === by.kind && each.name === by.name && each.how === how);
      // A workload stands once: as running where one of its pods is.
      const others = known.filter((each) => each !== same);
      found.set(key, [...others, { ...by, how, running: by.running || same?.running === true }]);
    }
  };
  const list = <T>(group: string, resource: string, item: z.ZodType<T>) =>
    listIn(client, namespacesOf(secrets), group, resource, item);
  const ownerOf = createOwnerLookup(client);

  for (const {
    metadata: { namespace, name, ownerReferences },
    spec,
    status,
  } of await list('/api/v1', 'pods', pod)) {
    const named = secretsOf(spec).filter(({ secret }) => wanted.has(`${namespace}/${secret}`));
    if (named.length === 0 || status?.phase === 'Succeeded' || status?.phase === 'Failed') continue;
    const owner = await ownerOf(namespace, ownerReferences);
    add(namespace, named, { ...(owner ?? { kind: 'Pod', name }), running: true });
  }
  for (const [resource, kind] of [
    ['deployments', 'Deployment'],
    ['statefulsets', 'StatefulSet'],
    ['daemonsets', 'DaemonSet'],
  ] as const) {
    for (const {
      metadata: { namespace, name },
      spec,
    } of await list('/apis/apps/v1', resource, workload)) {
      add(namespace, secretsOf(spec.template.spec), { kind, name, running: false });
    }
  }
  for (const {
    metadata: { namespace, name },
    spec,
  } of await list('/apis/batch/v1', 'cronjobs', cronJob)) {
    add(namespace, secretsOf(spec.jobTemplate.spec.template.spec), { kind: 'CronJob', name, running: false });
  }
  for (const account of await list('/api/v1', 'serviceaccounts', serviceAccount)) {
    const { namespace, name } = account.metadata;
    const named = (['secrets', 'imagePullSecrets'] as const).flatMap((how) =>
      (account[how] ?? []).flatMap(({ name: secret }) => (secret === undefined ? [] : [{ secret, how }])),
    );
    add(namespace, named, { kind: 'ServiceAccount', name, running: false });
  }
  return found;
}

/** Null stands for all namespaces. */
function namespacesOf(secrets: readonly SecretName[]): readonly (string | null)[] {
  const namespaces = [...new Set(secrets.map(({ namespace }) => namespace))];
  return namespaces.length <= MAX_NAMESPACES ? namespaces : [null];
}

async function listIn<T>(
  client: KubeClient,
  namespaces: readonly (string | null)[],
  group: string,
  resource: string,
  item: z.ZodType<T>,
): Promise<readonly T[]> {
  const kind = group === '/api/v1' ? resource : `${resource}.${group.split('/')[2]}`;
  const lists: (readonly T[])[] = [];
  for (const namespace of namespaces) {
    const path = namespace === null ? `${group}/${resource}` : `${group}/namespaces/${namespace}/${resource}`;
    lists.push(await listAll(client, path, kind, item, { pageSize: PAGE_SIZE }));
  }
  return lists.flat();
}

type Owner = Pick<SecretReference, 'kind' | 'name'>;

/** The workload that a person made: the Deployment, not its ReplicaSet. */
function createOwnerLookup(client: KubeClient) {
  const known = new Map<string, Promise<Owner | null>>();

  async function ownerOf(namespace: string, references: z.infer<typeof owners>): Promise<Owner | null> {
    const owner = references?.find(({ controller }) => controller === true);
    if (owner === undefined) return null;
    const { kind, name } = owner;
    const above = MADE_BY_ANOTHER[kind];
    if (above === undefined) return { kind, name };
    const key = `${namespace}/${kind}/${name}`;
    const lookUp = async () => {
      const plural = above.resource.split('.')[0];
      const path = `${above.path}/namespaces/${namespace}/${plural}/${name}`;
      const call = { verb: 'get', path, resource: above.resource, object: `${namespace}/${name}` } as const;
      const answer = await client.call(call, [404]);
      if (answer.status === 404) return null;
      return ownerOf(namespace, jsonOf(owned, answer.body, `get ${above.resource}`).metadata.ownerReferences);
    };
    const found = known.get(key) ?? lookUp();
    known.set(key, found);
    return (await found) ?? { kind, name };
  }
  return ownerOf;
}

/** Why nothing is known of references, where that is for want of rights. @throws anything else */
export function explainUnknownReferences(error: unknown): string {
  if (error instanceof KeyturnError && error.code === 'API_SERVER_FORBIDDEN') return error.message;
  throw error;
}
