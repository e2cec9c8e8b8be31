// A relying party that knows nothing of a cluster but its public JWKS, and is as slow to notice changes as one may be.
import { createRemoteJWKSet, customFetch, decodeProtectedHeader, errors, jwtVerify } from 'jose';
import type { JWTVerifyGetKey } from 'jose';
import { KeyturnError } from '../errors.ts';
import { parseJwks } from '../jwks/jwks.ts';
import { readPublic } from '../publishers/read-back.ts';
import type { DocumentFetch } from '../publishers/trusting-fetch.ts';
import type { KeyAlgorithm, Kid } from '../rotation/key.ts';

export interface RelyingPartyOptions {
  readonly jwksUri: string;
  /** Compared exactly with the token's `iss`. */
  readonly issuer: string;
  /** The token's `aud` must contain one of them. */
  readonly audience: string | readonly string[];
  /** How long a JWKS that was read is used. Unlike usual clients it is not read again before, also not for an unknown `kid`. */
  readonly cacheMs: number;
  /** The fetch of the web, or `createTrustingFetch`. */
  readonly fetch: DocumentFetch;
  /** Default 5000, as AWS. */
  readonly timeoutMs?: number;
  /** Allowed difference of clocks for `nbf` and `exp`. Default 60000; clouds allow up to five minutes. */
  readonly clockToleranceMs?: number;
}

export type Verdict =
  | { readonly accepted: true; readonly kid: Kid | undefined }
  | {
      readonly accepted: false;
      /** Code and message of the library: nothing of the token. */
      readonly reason: string;
      readonly kid: Kid | undefined;
    };

const ALGORITHMS: readonly KeyAlgorithm[] = ['RS256', 'ES256', 'ES384', 'ES512'];

export class RelyingParty {
  readonly #options: RelyingPartyOptions;
  readonly #keys: JWTVerifyGetKey;

  constructor(options: RelyingPartyOptions) {
    this.#options = options;
    const { jwksUri, cacheMs, timeoutMs = 5_000, fetch } = options;
    this.#keys = createRemoteJWKSet(new URL(jwksUri), {
      cacheMaxAge: cacheMs,
      // A usual client reads again for an unknown `kid`, after a pause; the slowest that is allowed waits for its cache to age.
      cooldownDuration: Number.POSITIVE_INFINITY,
      // Ours ends first, and says what was wrong.
      timeoutDuration: 2 * timeoutMs,
      [customFetch]: async (url) => {
        const { body } = await readPublic(url, { fetch, timeoutMs });
        parseJwks(body, url);
        return new Response(body, { headers: { 'content-type': 'application/json' } });
      },
    });
  }

  /**
   * A verdict is about the token. Where the keys cannot be read there is none.
   *
   * @throws PUBLISHER_UNREACHABLE (retryable) JWKS_NOT_PUBLIC JWKS_MALFORMED
   */
  async verify(token: string): Promise<Verdict> {
    const { issuer, audience, clockToleranceMs = 60_000 } = this.#options;
    const kid = kidOfToken(token);
    try {
      await jwtVerify(token, this.#keys, {
        issuer,
        audience: typeof audience === 'string' ? audience : [...audience],
        algorithms: [...ALGORITHMS],
        clockTolerance: clockToleranceMs / 1000,
        requiredClaims: ['exp'],
      });
      return { accepted: true, kid };
    } catch (error) {
      if (error instanceof KeyturnError) throw error;
      return { accepted: false, reason: reasonOf(error), kid };
    }
  }
}

/** What is no error of ours comes from the token, or from a published key that fits it and is broken: others would reject it too. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JOSEError) return `${error.code}: ${error.message}`;
  return `the published key cannot be used (${error instanceof Error ? error.name : 'unknown reason'})`;
}

function kidOfToken(token: string): Kid | undefined {
  try {
    return decodeProtectedHeader(token).kid;
  } catch {
    return undefined;
  }
}
