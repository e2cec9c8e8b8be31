// Calls the Kubernetes API of one server with a kubeconfig's credentials, and turns refusals into clear errors.
import type { KubeConfig } from '@kubernetes/client-node';
import type { KeyturnError } from '../errors.ts';
import { parseAnswer } from './answer-json.ts';
import { isRepeatable, methodOf } from './api-call.ts';
import type { ApiCall } from './api-call.ts';
import { sendHttps } from './https-request.ts';
import type { HttpsAnswer } from './https-request.ts';
import { presentCredentials, withoutUser } from './kube-credentials.ts';
import { kubeConfigFor } from './kube-config.ts';
import { refusal } from './refusal.ts';

/** Whom a request shows to be: us, nobody, or whom the token says. */
export type Credentials = 'own' | 'none' | { readonly bearerToken: string };

export interface KubeClientOptions {
  /** For each request from connection to last byte, in ms. Default 5000. */
  readonly timeoutMs?: number;
}

/**
 * Requests are not sent by client-node: 2.0.1 makes a new undici pool for each request and has no timeout. It reads the kubeconfig and asks its
 * credential plugins.
 */
export class KubeClient {
  /** Address of the API server, without a trailing `/`. */
  readonly url: string;
  readonly #kubeConfig: KubeConfig;
  readonly #anonymous: KubeConfig;
  readonly #timeoutMs: number;

  constructor(kubeConfig: KubeConfig, options: KubeClientOptions = {}) {
    this.#kubeConfig = kubeConfig;
    this.#anonymous = withoutUser(kubeConfig);
    this.#timeoutMs = options.timeoutMs ?? 5000;
    this.url = kubeConfig.getCurrentCluster()?.server.replace(/\/+$/, '') ?? '';
  }

  /** The same credentials, authority and `tls-server-name`, for another server. @throws CONFIG_INVALID where it is not an https URL */
  at(url: string): KubeClient {
    return new KubeClient(kubeConfigFor(this.#kubeConfig, url), { timeoutMs: this.#timeoutMs });
  }

  /**
   * One call as ourselves, for an object.
   * @param expected statuses besides 2xx that the caller understands, e.g. `[404]`
   * @returns the parsed JSON of the answer
   * @throws API_SERVER_UNREACHABLE (retryable; no answer, 5xx, 429), API_SERVER_FORBIDDEN (401, 403), API_SERVER_UNEXPECTED
   */
  async call(
    call: ApiCall,
    expected: readonly number[] = [],
  ): Promise<{ readonly status: number; readonly body: unknown }> {
    const answer = await this.#expect(call, expected);
    return { status: answer.status, body: parseAnswer(answer.body, `${call.verb} ${call.resource} at ${this.url}`) };
  }

  /** Text of a non-resource URL such as `/openid/v1/jwks`, as ourselves. @throws as `call` */
  async read(path: string): Promise<string> {
    const { body } = await this.#expect({ verb: 'get', path, resource: path }, []);
    return body;
  }

  /**
   * The answer as it is, whatever its status.
   * @param credentials default `own`. With a token no client certificate and nothing else of ours is shown.
   * @throws API_SERVER_UNREACHABLE where there was no answer; CONFIG_INVALID where the kubeconfig's credential plugin fails
   */
  async send(call: ApiCall, credentials: Credentials = 'own'): Promise<HttpsAnswer> {
    const { tls, headers } = await presentCredentials(credentials === 'own' ? this.#kubeConfig : this.#anonymous);
    const query = call.query === undefined ? '' : `?${new URLSearchParams(call.query).toString()}`;
    return sendHttps({
      method: methodOf(call),
      url: `${this.url}${call.path}${query}`,
      headers: {
        ...headers,
        ...(typeof credentials === 'object' ? { authorization: `Bearer ${credentials.bearerToken}` } : {}),
        accept: 'application/json, */*',
        ...(call.body === undefined ? {} : { 'content-type': contentTypeOf(call) }),
      },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      timeoutMs: call.timeoutMs ?? this.#timeoutMs,
      repeatable: isRepeatable(call),
      tls,
    });
  }

  async #expect(call: ApiCall, expected: readonly number[]): Promise<HttpsAnswer> {
    const answer = await this.send(call);
    const succeeded = answer.status >= 200 && answer.status <= 299;
    if (succeeded || expected.includes(answer.status)) return answer;
    throw await this.refusalOf(call, answer);
  }

  /** Why this server refused a call, for a status that nobody expects. @returns what `call` throws */
  async refusalOf(call: ApiCall, answer: HttpsAnswer): Promise<KeyturnError> {
    return refusal(this.url, call, answer, await this.#isStarting(answer));
  }

  /** For some tenths of a second after its start an API server knows no roles yet and answers 403 to everyone, also for `/readyz` (measured). */
  async #isStarting(answer: HttpsAnswer): Promise<boolean> {
    if (answer.status !== 401 && answer.status !== 403) return false;
    const readyz: ApiCall = { verb: 'get', path: '/readyz', resource: '/readyz' };
    const { status } = await this.send(readyz, answer.status === 401 ? 'none' : 'own');
    // 401 for nobody: anonymous requests are switched off, so nothing speaks against our credentials being the reason.
    return status !== 200 && status !== 401;
  }
}

function contentTypeOf({ verb }: ApiCall): string {
  return verb === 'patch' ? 'application/merge-patch+json' : 'application/json';
}
