// Finds the tokens in Secrets, which never expire, and the key that signed each.
import { compactVerify, decodeProtectedHeader, importJWK } from 'jose';
import type { JWK } from 'jose';
import { z } from 'zod';
import { parseJwks } from '../jwks/jwks.ts';
import type { Kid } from '../rotation/key.ts';
import type { LegacyToken } from '../rotation/observation.ts';
import { jsonOf } from './answer-json.ts';
import type { KubeClient } from './kube-client.ts';
import { listAll } from './list-pages.ts';
import { probeSecretLabels } from './probe-secret.ts';

/** On a second Secret: the name of the one that it was made for. */
export const SUCCESSOR_ANNOTATION = 'keyturn.dev/successor-of';
/** On a Secret that a rotation made, or whose token it had minted anew: the rotation. */
export const REFRESHED_ANNOTATION = 'keyturn.dev/refreshed-by-rotation';

const strings = z.record(z.string(), z.string()).optional();
const tokenSecret = z.object({
  metadata: z.object({ namespace: z.string(), name: z.string(), labels: strings, annotations: strings }),
  data: z.object({ token: z.string().optional() }).nullish(),
  immutable: z.boolean().optional(),
});
type TokenSecret = z.infer<typeof tokenSecret>;

/**
 * Every Secret of type `kubernetes.io/service-account-token` with a token in it, but for Keyturn's own short-lived ones. The tokens themselves do not leave
 * this function. Who names them is not looked up here.
 *
 * @param pageSize Secrets per request; default 200
 * @throws API_SERVER_UNREACHABLE, API_SERVER_FORBIDDEN, API_SERVER_UNEXPECTED
 */
export async function findLegacyTokens(client: KubeClient, pageSize = 200): Promise<readonly LegacyToken[]> {
  const found: LegacyToken[] = [];
  let keys: readonly JWK[] | undefined;
  const fieldSelector = 'type=kubernetes.io/service-account-token';
  for (const secret of await listAll(client, '/api/v1/secrets', 'secrets', tokenSecret, { pageSize, fieldSelector })) {
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
    found.push({ ...factsOf(secret), kid });
  }
  return found;
}

function factsOf({ metadata, immutable }: TokenSecret): Omit<LegacyToken, 'kid'> {
  const { namespace, name, labels = {}, annotations = {} } = metadata;
  return {
    namespace,
    name,
    lastUsed: labels['kubernetes.io/legacy-token-last-used'] ?? null,
    serviceAccount: annotations['kubernetes.io/service-account.name'] ?? '',
    immutable: immutable ?? false,
    successorOf: annotations[SUCCESSOR_ANNOTATION] ?? null,
    rotationId: annotations[REFRESHED_ANNOTATION] ?? null,
    references: null,
  };
}

const trackingConfigMap = z.object({ data: z.object({ since: z.string().optional() }).nullish() });

/**
 * The day since which API servers note the use of legacy tokens (Kubernetes 1.26 and later keep it in a ConfigMap of kube-system); null where they do
 * not, or where Keyturn may not read it. @throws API_SERVER_UNREACHABLE
 */
export async function readTrackedSince(client: KubeClient): Promise<string | null> {
  const name = 'kube-apiserver-legacy-service-account-token-tracking';
  const answer = await client.call(
    {
      verb: 'get',
      path: `/api/v1/namespaces/kube-system/configmaps/${name}`,
      resource: 'configmaps',
      object: `kube-system/${name}`,
    },
    [403, 404],
  );
  if (answer.status !== 200) return null;
  return jsonOf(trackingConfigMap, answer.body, 'get configmaps').data?.since ?? null;
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
