// Proves with which key the controller manager signs: it fills a temporary service-account-token Secret.
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeProtectedHeader } from 'jose';
import { z } from 'zod';
import { KeyturnError } from '../errors.ts';
import type { Kid } from '../rotation/key.ts';
import { jsonOf } from './answer-json.ts';
import type { KubeClient } from './kube-client.ts';
import type { ServiceAccountName } from './mint-token.ts';

/** Of the temporary Secrets, and of nothing else. */
export const probeSecretLabels = {
  'app.kubernetes.io/managed-by': 'keyturn',
  'app.kubernetes.io/component': 'controller-manager-probe',
} as const;

const pollMs = 200;
const createdSecret = z.object({ metadata: z.object({ name: z.string() }) });
const filledSecret = z.object({ data: z.object({ token: z.string().optional() }).nullish() });
const secretNames = z.object({ items: z.array(createdSecret).nullable() });

/**
 * The kid with which the leading kube-controller-manager signs. The Secret is removed whatever happens; where that is
 * impossible, `removeProbeSecrets` does it later.
 *
 * @param timeoutMs how long the controller manager may take
 * @throws EFFECT_MISSING (retryable) where no token came in time; API_SERVER_UNREACHABLE, API_SERVER_FORBIDDEN
 */
export async function mintLegacyToken(
  client: KubeClient,
  account: ServiceAccountName,
  timeoutMs: number,
): Promise<Kid> {
  const name = await createProbeSecret(client, account);
  try {
    for (const deadline = Date.now() + timeoutMs; ; await sleep(pollMs)) {
      const token = await readToken(client, account, name);
      if (token !== undefined) return kidOf(token, `${account.namespace}/${name}`);
      if (Date.now() > deadline) throw unfilled(account, timeoutMs);
    }
  } finally {
    await deleteSecret(client, account.namespace, name);
  }
}

/** Names of the temporary Secrets that are there now. */
export async function findProbeSecrets(client: KubeClient, namespace: string): Promise<readonly string[]> {
  const labelSelector = Object.entries(probeSecretLabels)
    .map(([label, value]) => `${label}=${value}`)
    .join(',');
  const answer = await client.call({
    verb: 'list',
    path: `/api/v1/namespaces/${namespace}/secrets`,
    resource: 'secrets',
    object: `in namespace ${namespace}`,
    query: { labelSelector },
  });
  return (jsonOf(secretNames, answer.body, 'list secrets').items ?? []).map(({ metadata }) => metadata.name);
}

/** Removes what a call that died left behind. @returns how many */
export async function removeProbeSecrets(client: KubeClient, namespace: string): Promise<number> {
  const names = await findProbeSecrets(client, namespace);
  for (const name of names) await deleteSecret(client, namespace, name);
  return names.length;
}

async function createProbeSecret(client: KubeClient, { namespace, name }: ServiceAccountName): Promise<string> {
  const answer = await client.call({
    verb: 'create',
    path: `/api/v1/namespaces/${namespace}/secrets`,
    resource: 'secrets',
    object: `in namespace ${namespace}`,
    body: {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'kubernetes.io/service-account-token',
      metadata: {
        generateName: `${name}-`,
        labels: probeSecretLabels,
        annotations: { 'kubernetes.io/service-account.name': name },
      },
    },
  });
  return jsonOf(createdSecret, answer.body, 'create secrets').metadata.name;
}

/** Undefined while there is none, or while the API server is away: the deadline decides. */
async function readToken(client: KubeClient, account: ServiceAccountName, name: string): Promise<string | undefined> {
  try {
    const { status, body } = await client.call(secretCall('get', account.namespace, name), [404]);
    if (status === 404) throw noServiceAccount(account);
    const encoded = jsonOf(filledSecret, body, 'get secrets').data?.token;
    return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8');
  } catch (error) {
    if (error instanceof KeyturnError && error.retryable) return undefined;
    throw error;
  }
}

async function deleteSecret(client: KubeClient, namespace: string, name: string): Promise<void> {
  await client.call(secretCall('delete', namespace, name), [404]);
}

function secretCall(verb: 'get' | 'delete', namespace: string, name: string) {
  return {
    verb,
    path: `/api/v1/namespaces/${namespace}/secrets/${name}`,
    resource: 'secrets',
    object: `${namespace}/${name}`,
  };
}

function kidOf(token: string, subject: string): Kid {
  const { kid } = decodeProtectedHeader(token);
  if (kid !== undefined) return kid;
  throw new KeyturnError('API_SERVER_UNEXPECTED', `The controller manager's token in Secret ${subject} has no kid`, {
    subject,
    remedy: 'Check the version of kube-controller-manager: it must be 1.16 or later',
  });
}

/** The controller manager removes a token Secret whose ServiceAccount does not exist. */
function noServiceAccount({ namespace, name }: ServiceAccountName): KeyturnError {
  const subject = `${namespace}/${name}`;
  return new KeyturnError(
    'API_SERVER_UNEXPECTED',
    `The Secret for a token of ServiceAccount ${subject} was removed by another`,
    {
      subject,
      remedy: `Apply deploy/rbac.yaml, which makes ServiceAccount ${subject}`,
    },
  );
}

function unfilled({ namespace, name }: ServiceAccountName, timeoutMs: number): KeyturnError {
  return new KeyturnError(
    'EFFECT_MISSING',
    `No controller manager put a token into a Secret for ${namespace}/${name} within ${timeoutMs / 1000} s`,
    {
      subject: 'kube-controller-manager',
      remedy:
        'Check that one runs, is the leader, and has --service-account-private-key-file; and that deploy/rbac.yaml was applied',
      retryable: true,
    },
  );
}
