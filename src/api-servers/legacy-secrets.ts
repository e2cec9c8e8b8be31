// Has the controller manager mint legacy tokens anew: in a second Secret, or in the same one. Tokens do not leave this file.
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeProtectedHeader } from 'jose';
import { z } from 'zod';
import { KeyturnError } from '../errors.ts';
import type { Kid } from '../rotation/key.ts';
import type { LegacyToken } from '../rotation/observation.ts';
import { jsonOf } from './answer-json.ts';
import type { ApiCall } from './api-call.ts';
import type { KubeClient } from './kube-client.ts';
import { REFRESHED_ANNOTATION, SUCCESSOR_ANNOTATION } from './legacy-tokens.ts';

const secretShape = z.object({
  metadata: z.object({
    resourceVersion: z.string(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  data: z.object({ token: z.string().optional() }).nullish(),
});
type TokenSecret = z.infer<typeof secretShape>;
type SecretName = Pick<LegacyToken, 'namespace' | 'name'>;

const POLL_MS = 100;
const MAX_CONFLICTS = 5;
const MAX_NAME_LENGTH = 253;

/** Of second Secrets: who made them and why; their age is their creationTimestamp. */
const successorLabels = {
  'app.kubernetes.io/managed-by': 'keyturn',
  'app.kubernetes.io/component': 'legacy-token-successor',
} as const;

export interface KubeLegacySecretsOptions {
  readonly client: KubeClient;
  /** How long the controller manager may take to mint one token, ms. Default 30 s. */
  readonly mintTimeoutMs?: number;
}

export class KubeLegacySecrets {
  readonly #client: KubeClient;
  readonly #mintTimeoutMs: number;

  constructor({ client, mintTimeoutMs = 30_000 }: KubeLegacySecretsOptions) {
    this.#client = client;
    this.#mintTimeoutMs = mintTimeoutMs;
  }

  /**
   * A second Secret with a token for the same ServiceAccount, under a name that the rotation determines: asked twice, it is made once.
   * @returns its name, and the key that signed its token
   * @throws EFFECT_MISSING (retryable) where no token comes; API_SERVER_UNREACHABLE, API_SERVER_FORBIDDEN, API_SERVER_UNEXPECTED
   */
  async mintSuccessor(of: LegacyToken, rotationId: string): Promise<{ readonly name: string; readonly kid: Kid }> {
    const { namespace, serviceAccount } = of;
    const name = successorName(of, rotationId);
    const answer = await this.#client.call(
      {
        verb: 'create',
        path: `/api/v1/namespaces/${namespace}/secrets`,
        resource: 'secrets',
        object: `${namespace}/${name}`,
        body: {
          apiVersion: 'v1',
          kind: 'Secret',
          type: 'kubernetes.io/service-account-token',
          metadata: {
            name,
            labels: successorLabels,
            annotations: {
              'kubernetes.io/service-account.name': serviceAccount,
              [SUCCESSOR_ANNOTATION]: of.successorOf ?? of.name,
              [REFRESHED_ANNOTATION]: rotationId,
            },
          },
        },
      },
      [409],
    );
    if (answer.status === 409) await this.#refuseForeign({ namespace, name }, serviceAccount, rotationId);
    return { name, kid: await this.#awaitToken({ namespace, name }) };
  }

  /**
   * Takes the token out of the Secret, upon which the controller manager mints another: **the former token is dead from that moment on**.
   * A Secret whose token the wanted key signed is left as it is.
   * @param mark the rotation, noted on the Secret; null takes the note off
   * @returns the key that signed the token which is in it now; null where the Secret is gone
   * @throws EFFECT_MISSING (retryable) where no token comes, API_SERVER_UNEXPECTED (retryable) where others change it all the time, and as above
   */
  async remint(secret: SecretName, wanted: Kid, mark: string | null): Promise<Kid | null> {
    for (let conflicts = 0; ; conflicts++) {
      const before = await this.#read(secret);
      if (before === null) return null;
      if (kidOf(before) === wanted) return wanted;
      const { resourceVersion } = before.metadata;
      const answer = await this.#client.call(
        {
          ...secretCall('patch', secret),
          body: {
            metadata: { resourceVersion, annotations: { [REFRESHED_ANNOTATION]: mark } },
            data: { token: null },
          },
        },
        // Changed by another since it was read: 409.
        conflicts < MAX_CONFLICTS ? [404, 409] : [404],
      );
      if (answer.status === 404) return null;
      if (answer.status === 200) return this.#awaitToken(secret);
    }
  }

  /** Nothing happens where it is gone. @throws API_SERVER_UNREACHABLE, API_SERVER_FORBIDDEN */
  async remove(secret: SecretName): Promise<void> {
    await this.#client.call(secretCall('delete', secret), [404]);
  }

  async #read(secret: SecretName): Promise<TokenSecret | null> {
    const answer = await this.#client.call(secretCall('get', secret), [404]);
    return answer.status === 404 ? null : jsonOf(secretShape, answer.body, 'get secrets');
  }

  async #awaitToken(secret: SecretName): Promise<Kid> {
    for (const deadline = Date.now() + this.#mintTimeoutMs; ; await sleep(POLL_MS)) {
      const found = await this.#read(secret).catch(nullWhereAway);
      const kid = found === null ? undefined : kidOf(found);
      if (kid !== undefined) return kid;
      if (Date.now() > deadline) throw unfilled(secret, this.#mintTimeoutMs);
    }
  }

  /** Somebody else's Secret of this name is not touched. */
  async #refuseForeign(secret: SecretName, serviceAccount: string, rotationId: string): Promise<void> {
    const annotations = (await this.#read(secret))?.metadata.annotations ?? {};
    const isOurs =
      annotations[REFRESHED_ANNOTATION] === rotationId &&
      annotations['kubernetes.io/service-account.name'] === serviceAccount;
    if (isOurs) return;
    const subject = `${secret.namespace}/${secret.name}`;
    throw new KeyturnError('API_SERVER_UNEXPECTED', `There is a Secret ${subject} already that Keyturn did not make`, {
      subject,
      remedy: 'Rename or delete it, then retry',
    });
  }
}

/** `ci-token-1a2b3c4d`: the rotation takes the place of the one that made its predecessor. */
function successorName({ name, successorOf }: LegacyToken, rotationId: string): string {
  const suffix = `-${rotationId}`;
  return `${(successorOf ?? name).slice(0, MAX_NAME_LENGTH - suffix.length).replace(/[-.]+$/, '')}${suffix}`;
}

function kidOf({ data }: TokenSecret): Kid | undefined {
  const token = Buffer.from(data?.token ?? '', 'base64').toString('utf8');
  if (token === '') return undefined;
  try {
    return decodeProtectedHeader(token).kid ?? '';
  } catch {
    return '';
  }
}

function secretCall(verb: 'get' | 'patch' | 'delete', { namespace, name }: SecretName): ApiCall {
  return {
    verb,
    path: `/api/v1/namespaces/${namespace}/secrets/${name}`,
    resource: 'secrets',
    object: `${namespace}/${name}`,
  };
}

/** The deadline decides. */
function nullWhereAway(error: unknown): null {
  if (error instanceof KeyturnError && error.retryable) return null;
  throw error;
}

function unfilled({ namespace, name }: SecretName, timeoutMs: number): KeyturnError {
  const subject = `${namespace}/${name}`;
  return new KeyturnError(
    'EFFECT_MISSING',
    `No controller manager put a token into Secret ${subject} within ${timeoutMs / 1000} s`,
    {
      subject,
      remedy: 'Check that one runs and is the leader, and that the ServiceAccount of the Secret exists',
      retryable: true,
    },
  );
}
