// What is asked of one API server at its own address, never through a load balancer.
import type { KeyRef, Kid, PublicKey } from '../rotation/key.ts';

export interface Readiness {
  readonly ready: boolean;
  /** Every `etcd` check of `/readyz?verbose` passes. */
  readonly etcdHealthy: boolean;
  /** Which checks fail, or why there was no answer. */
  readonly reason?: string;
}

/** A bearer token: a secret. Never logged or returned from an activity. */
export interface MintedToken {
  readonly token: string;
  readonly kid: Kid;
  /** ms since the epoch */
  readonly mintedAt: number;
  /** ms since the epoch */
  readonly expiresAt: number;
}

/** `unreachable` says nothing about the token: the asked party was away or not ready. */
export type Verdict =
  | { readonly outcome: 'accepted' }
  | { readonly outcome: 'rejected'; readonly reason: string }
  | { readonly outcome: 'unreachable'; readonly reason: string };

export interface ApiServer {
  readonly node: string;
  readonly url: string;

  /** Never throws: an API server that does not answer is not ready. */
  readiness(): Promise<Readiness>;
  /** Keys of `/openid/v1/jwks` in its order. @throws API_SERVER_UNREACHABLE, API_SERVER_FORBIDDEN */
  publishedKeys(): Promise<readonly KeyRef[]>;
  /** The same with their public halves, by which a key is learnt that somebody else made. */
  publicKeys(): Promise<readonly PublicKey[]>;
  /** `issuer` of `/.well-known/openid-configuration`. */
  issuer(): Promise<string>;
  /** TokenRequest for the probe ServiceAccount. Default audience: the API server's own; default lifetime 600 s (the least). */
  mintToken(options?: {
    readonly audiences?: readonly string[];
    readonly expirationSeconds?: number;
  }): Promise<MintedToken>;
  /** TokenReview of a token by this API server. Never throws. */
  reviewToken(token: string, audiences?: readonly string[]): Promise<Verdict>;
  /** A plain request (SelfSubjectReview) with the token as the bearer. Never throws. */
  useToken(token: string): Promise<Verdict>;
  /**
   * When its process began, in ms since the epoch by the node's own clock, from `process_start_time_seconds`; up to 1000 ms too early.
   * undefined where it does not answer, or does not say. Never throws.
   */
  startTime(): Promise<number | undefined>;
  /** Worker's clock minus the API server's `Date`, in ms, resolution 1 s. */
  clockSkewMs(): Promise<number>;
}
