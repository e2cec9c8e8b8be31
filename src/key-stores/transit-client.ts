// Asks the transit engine of OpenBao or Vault over its HTTP API, and turns refusals into clear errors.
import { z } from 'zod';
import { sendHttps } from '../api-servers/https-request.ts';
import type { HttpsAnswer } from '../api-servers/https-request.ts';
import { KeyturnError } from '../errors.ts';
import { noAnswer, notTransit, parseJson, transitRefusal } from './transit-refusal.ts';

/** How a token is had. Secrets are read when they are needed: an agent may have renewed their file. */
export type TransitAuth =
  | { readonly method: 'token'; readonly token: () => Promise<string> }
  | {
      readonly method: 'login';
      /** E.g. `auth/approle/login`. */
      readonly path: string;
      readonly credentials: () => Promise<Readonly<Record<string, string>>>;
    };

export interface TransitClientOptions {
  /** https, e.g. `https://bao.example:8200`. */
  readonly address: string;
  readonly auth: TransitAuth;
  /** PEM of the only authority that is trusted. Default: the usual ones. */
  readonly ca?: string;
  /** Namespace in OpenBao or Vault. Default: none. */
  readonly namespace?: string;
}

const TIMEOUT_MS = 10_000;
const FORBIDDEN = 403;

const loggedIn = z.object({ auth: z.object({ client_token: z.string().min(1) }) });

export class TransitClient {
  readonly address: string;
  readonly #options: TransitClientOptions;
  /** Of a login; kept until it is refused. */
  #session: string | undefined;

  constructor(options: TransitClientOptions) {
    this.address = options.address.replace(/\/+$/, '');
    this.#options = options;
  }

  /**
   * @param path below `/v1/`, e.g. `transit/decrypt/keyturn`
   * @returns the answer's JSON
   * @throws KEY_STORE_UNREACHABLE where there was no answer; KEY_STORE_LOCKED where it is sealed (retryable) or refuses
   */
  async write(path: string, body: Readonly<Record<string, string>>): Promise<unknown> {
    let answer = await this.#post(path, body, await this.#token());
    if (answer.status === FORBIDDEN && this.#session !== undefined) {
      // The token of a login expires; another login tells whether that was all.
      this.#session = undefined;
      answer = await this.#post(path, body, await this.#token());
    }
    return this.#accept(path, answer);
  }

  async #token(): Promise<string> {
    const { auth } = this.#options;
    if (auth.method === 'token') return auth.token();
    if (this.#session === undefined) {
      const answer = await this.#post(auth.path, await auth.credentials());
      this.#session = loggedIn.safeParse(this.#accept(auth.path, answer)).data?.auth.client_token;
    }
    if (this.#session === undefined) throw notTransit(this.address, auth.path);
    return this.#session;
  }

  async #post(path: string, body: Readonly<Record<string, string>>, token?: string): Promise<HttpsAnswer> {
    const { ca, namespace } = this.#options;
    try {
      return await sendHttps({
        method: 'POST',
        url: `${this.address}/v1/${path}`,
        headers: {
          'content-type': 'application/json',
          'x-vault-request': 'true',
          ...(token === undefined ? {} : { 'x-vault-token': token }),
          ...(namespace === undefined ? {} : { 'x-vault-namespace': namespace }),
        },
        body: JSON.stringify(body),
        timeoutMs: TIMEOUT_MS,
        repeatable: true,
        tls: ca === undefined ? {} : { ca },
      });
    } catch (error) {
      if (!(error instanceof KeyturnError)) throw error;
      throw noAnswer(this.address, error);
    }
  }

  #accept(path: string, answer: HttpsAnswer): unknown {
    if (answer.status >= 200 && answer.status <= 299) return parseJson(answer.body);
    throw transitRefusal(this.address, path, answer);
  }
}
