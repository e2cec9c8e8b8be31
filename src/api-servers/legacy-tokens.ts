// Finds the tokens in Secrets, which never expire, and the key that signed each.
import { compactVerify, decodeProtectedHeader, importJWK } from 'jose';
import type { JWK } from 'jose';
import { z } from 'zod';
import { KeyturnError } from '../errors.ts';
import { parseJwks } from '../jwks/jwks.ts';
import type { Kid } from '../rotation/key.ts';
import type { LegacyToken } from '../rotation/observation.ts';
import { jsonOf } from './answer-json.ts';
import type { KubeClient } from './kube-client.ts';
import { probeSecretLabels } from './probe-secret.ts';

const secretList = z.object({
  metadata: z.object({ continue: z.string().optional() }),
  items: z
    .array(
      z.object({
        metadata: z.object({
          namespace: z.string(),
          name: z.string(),
          labels: z.record(z.string(), z.string()).optional(),
        }),
        data: z.object({ token: z.string().optional() }).nullish(),
      }),
    )
    .nullable(),
});
type TokenSecret = NonNullable<z.infer<typeof secretList>['items']>[number];

/**
 * Every Secret of type `kubernetes.io/service-account-token` with a token in it, but for Keyturn's own short-lived ones. The tokens themselves do not leave
 * this function.
 *
 * @param pageSize Secrets per request; default 200
 * @throws API_SERVER_UNREACHABLE, API_SERVER_FORBIDDEN, API_SERVER_UNEXPECTED
 */
export async function findLegacyTokens(client: KubeClient, pageSize = 200): Promise<readonly LegacyToken[]> {
  const found: LegacyToken[] = [];
  let keys: readonly JWK[] | undefined;
  for (const secret of await listTokenSecrets(client, pageSize)) {
    const token = Buffer.from(secret.data?.token ?? '', 'base64').toString('utf8');
    if (token === '' || isOurs(secret)) continue;
    let kid = kidInHeader(token);
    if (kid === undefined) {
      // Signed before Kubernetes 1.16: no kid, so each key of the API server is tried, as it does itself.
      keys ??= parseJwks(await client.read('/openid/v1/jwks'), '/openid/v1/jwks').keys as readonly JWK[];
      kid = await kidOfVerifyingKey(token, keys);
    }
    // A token that no key verifies is dead already: a rotation cannot harm it.
    if (kid === undefined) continue;
    const { namespace, name, labels } = secret.metadata;
    found.push({ namespace, name, kid, lastUsed: labels?.['kubernetes.io/legacy-token-last-used'] ?? null });
  }
  return found;
}

async function listTokenSecrets(client: KubeClient, pageSize: number): Promise<readonly TokenSecret[]> {
  for (let attempt = 0; attempt < 3; attempt++) {
    const secrets = await listOnce(client, pageSize);
    if (secrets !== undefined) return secrets;
  }
  throw new KeyturnError(
    'API_SERVER_UNREACHABLE',
    `${client.url} could not list all Secrets: pages expired three times`,
    {
      subject: client.url,
      remedy: 'Try again when the API server has less to do',
      retryable: true,
    },
  );
}

/** Undefined where the snapshot that the pages are taken from was compacted away meanwhile (HTTP 410). */
async function listOnce(client: KubeClient, pageSize: number): Promise<readonly TokenSecret[] | undefined> {
  const secrets: TokenSecret[] = [];
  let page = '';
  do {
    const query = { fieldSelector: 'type=kubernetes.io/service-account-token', limit: String(pageSize) };
    const answer = await client.call(
      {
        verb: 'list',
        path: '/api/v1/secrets',
        resource: 'secrets',
        query: page === '' ? query : { ...query, continue: page },
      },
      [410],
    );
    if (answer.status === 410) return undefined;
    const list = jsonOf(secretList, answer.body, 'list secrets');
    secrets.push(...(list.items ?? []));
    page = list.metadata.continue ?? '';
  } while (page !== '');
  return secrets;
}

function isOurs(secret: TokenSecret): boolean {
  return Object.entries(probeSecretLabels).every(([label, value]) => secret.metadata.labels?.[label] === value);
}

function kidInHeader(token: string): Kid | undefined {
  try {
    const { kid } = decodeProtectedHeader(token);
    return kid === '' ? undefined : kid;
  } catch {
    return undefined;
  }
}

async function kidOfVerifyingKey(token: string, keys: readonly JWK[]): Promise<Kid | undefined> {
  for (const key of keys) {
    try {
      await compactVerify(token, await importJWK(key, key.alg));
      return key.kid;
    } catch {
      // not this one
    }
  }
  return undefined;
}
