// Asks the transit engine of OpenBao or Vault over its HTTP API, and turns refusals into clear errors.
import { z } from 'zod';
import { sendHttps } from '../api-servers/https-request.ts';
import type { HttpsAnswer } from '../api-servers/https-request.ts';
import { reasonOf } from '../api-servers/refusal.ts';
import { KeyturnError } from '../errors.ts';

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
const SEALED = 503;

const failed = z.object({ errors: z.array(z.string()) });
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
    if (this.#session === undefined) throw this.#unexpected(auth.path);
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
      const reason = reasonOf(error);
      throw new KeyturnError(
        'KEY_STORE_UNREACHABLE',
        `The transit engine at ${this.address} gave no answer (${reason})`,
        {
          subject: this.address,
          remedy: 'Check its address, its certificate against caFile, and that nothing stops the connection',
          retryable: error.retryable,
          details: { reason },
        },
      );
    }
  }

  #accept(path: string, { status, body }: HttpsAnswer): unknown {
    const json = parse(body);
    if (status >= 200 && status <= 299) return json;
    const said = failed.safeParse(json).data?.errors.join('; ').replaceAll(/\s+/g, ' ').trim().slice(0, 300) ?? '';
    const subject = `${this.address}/v1/${path}`;
    const details = { status, path, said };
    const answered = `HTTP ${status}${said && `: ${said}`}`;
    if (status === SEALED) {
      throw new KeyturnError('KEY_STORE_LOCKED', `${this.address} is sealed or not ready (${answered})`, {
        subject: this.address,
        remedy: 'Unseal it',
        retryable: true,
        details,
      });
    }
    if (status === 429 || status >= 500) {
      throw new KeyturnError('KEY_STORE_UNREACHABLE', `${this.address} cannot serve ${path} now (${answered})`, {
        subject,
        remedy: 'Wait, or see its log',
        retryable: true,
        details,
      });
    }
    if (status === 401 || status === FORBIDDEN) {
      throw new KeyturnError('KEY_STORE_LOCKED', `${this.address} does not let Keyturn update ${path} (${answered})`, {
        subject,
        remedy: "Renew the token or the login's credentials, and give its policy what deploy/openbao-policy.hcl grants",
        details,
      });
    }
    throw new KeyturnError('KEY_STORE_LOCKED', `${this.address} refuses to update ${path} (${answered})`, {
      subject,
      remedy: 'Check mount, name and versions of the transit key, and the mount of the login',
      details,
    });
  }

  #unexpected(path: string): KeyturnError {
    return new KeyturnError(
      'KEY_STORE_LOCKED',
      `The answer of ${this.address} to ${path} is not that of OpenBao or Vault`,
      {
        subject: `${this.address}/v1/${path}`,
        remedy: 'Check the address and the mounts',
      },
    );
  }
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
