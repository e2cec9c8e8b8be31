// Mints a token by TokenRequest and reads its kid from its header.
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { z } from 'zod';
import { KeyturnError } from '../errors.ts';
import { jsonOf } from './answer-json.ts';
import type { KubeClient } from './kube-client.ts';
import type { MintedToken } from './port.ts';

const tokenRequest = z.object({ status: z.object({ token: z.string() }) });
const header = z.object({ kid: z.string().min(1) });
const lifetime = z.object({ iat: z.number(), exp: z.number() });

export interface ServiceAccountName {
  readonly namespace: string;
  readonly name: string;
}

export interface MintOptions {
  /** Default: the API server's own. */
  readonly audiences?: readonly string[];
  /** Default 600, the least that kube-apiserver grants; it may grant less than asked. */
  readonly expirationSeconds?: number;
}

/**
 * Times are by the worker's clock: the token's own `iat` and `exp` only give its lifetime, so that a skewed clock does not make it look expired.
 * @throws API_SERVER_UNREACHABLE, API_SERVER_FORBIDDEN, API_SERVER_UNEXPECTED (no such ServiceAccount, or a token without kid)
 */
export async function mintToken(
  client: KubeClient,
  account: ServiceAccountName,
  now: () => number,
  options: MintOptions,
): Promise<MintedToken> {
  const object = `${account.namespace}/${account.name}`;
  const mintedAt = now();
  const answer = await client.call(
    {
      verb: 'create',
      path: `/api/v1/namespaces/${account.namespace}/serviceaccounts/${account.name}/token`,
      resource: 'serviceaccounts/token',
      object,
      body: {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { audiences: options.audiences ?? [], expirationSeconds: options.expirationSeconds ?? 600 },
      },
    },
    [404],
  );
  if (answer.status === 404) {
    throw new KeyturnError(
      'API_SERVER_UNEXPECTED',
      `There is no ServiceAccount ${object}, whose tokens Keyturn mints to prove keys`,
      {
        subject: object,
        remedy: 'Apply deploy/rbac.yaml',
      },
    );
  }
  const { token } = jsonOf(tokenRequest, answer.body, `TokenRequest at ${client.url}`).status;
  const { kid } = jsonOf(header, decodeProtectedHeader(token), `header of a token of ${client.url}`);
  const { iat, exp } = jsonOf(lifetime, decodeJwt(token), `claims of a token of ${client.url}`);
  return { token, kid, mintedAt, expiresAt: mintedAt + (exp - iat) * 1000 };
}
