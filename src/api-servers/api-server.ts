// Asks one kube-apiserver at its own address what it trusts, with what it signs, and what it accepts.
import { createPublicKey } from 'node:crypto';
import { z } from 'zod';
import { KeyturnError } from '../errors.ts';
import { kidOfJwk, parseJwks } from '../jwks/jwks.ts';
import { toPublicKey } from '../keys/public-key.ts';
import type { KeyRef, PublicKey } from '../rotation/key.ts';
import { jsonOf, parseAnswer } from './answer-json.ts';
import type { HttpsAnswer } from './https-request.ts';
import type { KubeClient } from './kube-client.ts';
import { mintToken } from './mint-token.ts';
import type { MintOptions, ServiceAccountName } from './mint-token.ts';
import type { ApiServer, MintedToken, Readiness, Verdict } from './port.ts';
import { readReadiness } from './readiness.ts';
import { reasonOf } from './refusal.ts';
import { verdictOfReview, verdictOfUse } from './verdict.ts';

const algorithm = z.enum(['RS256', 'ES256', 'ES384', 'ES512']);
const discoveryDocument = z.object({ issuer: z.string().min(1) });

export interface KubeApiServerOptions {
  /** Name of the node that it runs on. */
  readonly node: string;
  /** Points at this API server itself, not at a load balancer. */
  readonly client: KubeClient;
  /** Whose tokens are minted: a ServiceAccount without rights. */
  readonly probe: ServiceAccountName;
  /** For a verdict on a token, in ms, so that one server that is away does not hold up probes. Default 3000. */
  readonly verdictTimeoutMs?: number;
  /** ms since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

export class KubeApiServer implements ApiServer {
  readonly node: string;
  readonly url: string;
  readonly #client: KubeClient;
  readonly #probe: ServiceAccountName;
  readonly #verdictTimeoutMs: number;
  readonly #now: () => number;

  constructor(options: KubeApiServerOptions) {
    this.node = options.node;
    this.url = options.client.url;
    this.#client = options.client;
    this.#probe = options.probe;
    this.#verdictTimeoutMs = options.verdictTimeoutMs ?? 3000;
    this.#now = options.now ?? Date.now;
  }

  async readiness(): Promise<Readiness> {
    try {
      return readReadiness(await this.#readyz());
    } catch (error) {
      return { ready: false, etcdHealthy: false, reason: reasonOf(error) };
    }
  }

  async publishedKeys(): Promise<readonly KeyRef[]> {
    const path = '/openid/v1/jwks';
    return parseJwks(await this.#client.read(path), `${path} of ${this.node}`).keys.map((key) => {
      const kid = kidOfJwk(key);
      const alg = algorithm.safeParse(key['alg']);
      if (kid === undefined || !alg.success) {
        throw new KeyturnError(
          'API_SERVER_UNEXPECTED',
          `${this.node} publishes a key without a kid or with an unknown algorithm`,
          {
            subject: `${this.url}${path}`,
            remedy: 'Check that this is a kube-apiserver, and which key files it was started with',
          },
        );
      }
      return { kid, alg: alg.data };
    });
  }

  async publicKeys(): Promise<readonly PublicKey[]> {
    const subject = `/openid/v1/jwks of ${this.node}`;
    const { keys } = parseJwks(await this.#client.read('/openid/v1/jwks'), subject);
    return keys.map((key) => toPublicKey(createPublicKey({ key, format: 'jwk' }), subject));
  }

  async issuer(): Promise<string> {
    const path = '/.well-known/openid-configuration';
    const subject = `${this.url}${path}`;
    return jsonOf(discoveryDocument, parseAnswer(await this.#client.read(path), subject), subject).issuer;
  }

  mintToken(options: MintOptions = {}): Promise<MintedToken> {
    return mintToken(this.#client, this.#probe, this.#now, options);
  }

  reviewToken(token: string, audiences: readonly string[] = []): Promise<Verdict> {
    return this.#judge(async () => {
      const { body } = await this.#client.call({
        verb: 'create',
        path: '/apis/authentication.k8s.io/v1/tokenreviews',
        resource: 'tokenreviews.authentication.k8s.io',
        body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token, audiences } },
        timeoutMs: this.#verdictTimeoutMs,
      });
      return verdictOfReview(body);
    });
  }

  useToken(token: string): Promise<Verdict> {
    return this.#judge(async () => {
      const answer = await this.#client.send(
        {
          verb: 'create',
          path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
          resource: 'selfsubjectreviews.authentication.k8s.io',
          body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
          timeoutMs: this.#verdictTimeoutMs,
        },
        { bearerToken: token },
      );
      return verdictOfUse(answer, token);
    });
  }

  async startTime(): Promise<number | undefined> {
    const metrics = await this.#client.read('/metrics').catch(() => '');
    const seconds = /^process_start_time_seconds (\S+)$/m.exec(metrics)?.[1];
    return seconds === undefined ? undefined : Number(seconds) * 1000;
  }

  async clockSkewMs(): Promise<number> {
    const before = this.#now();
    const { headers } = await this.#readyz();
    const middle = (before + this.#now()) / 2;
    const date = Date.parse(String(headers['date']));
    if (Number.isNaN(date)) {
      throw new KeyturnError('API_SERVER_UNEXPECTED', `${this.url} answers without a Date`, {
        subject: this.url,
        remedy: 'Check that this is the address of a kube-apiserver',
      });
    }
    // The header has whole seconds, cut off: on average the server's clock is half a second further.
    return Math.round(middle - (date + 500));
  }

  #readyz(): Promise<HttpsAnswer> {
    return this.#client.send({ verb: 'get', path: '/readyz', query: { verbose: '' }, resource: '/readyz' });
  }

  /**
   * Only the word of a ready API server counts as a rejection. One that starts or stops cannot look the ServiceAccount up and answers 401 to
   * valid tokens; no load balancer sends clients there.
   */
  async #judge(ask: () => Promise<Verdict>): Promise<Verdict> {
    try {
      const verdict = await ask();
      if (verdict.outcome !== 'rejected') return verdict;
      const { ready, reason } = await this.readiness();
      return ready ? verdict : { outcome: 'unreachable', reason: `not ready (${reason}), and says: ${verdict.reason}` };
    } catch (error) {
      return { outcome: 'unreachable', reason: reasonOf(error) };
    }
  }
}
