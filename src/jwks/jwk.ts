// One key of a JWKS, as Keyturn writes it (RFC 7517, RFC 7518 section 6).
import type { KeyAlgorithm, Kid } from '../rotation/key.ts';

export interface RsaJwk {
  readonly use: 'sig';
  readonly kty: 'RSA';
  readonly kid: Kid;
  readonly alg: KeyAlgorithm;
  readonly n: string;
  readonly e: string;
}

export interface EcJwk {
  readonly use: 'sig';
  readonly kty: 'EC';
  readonly kid: Kid;
  readonly crv: string;
  readonly alg: KeyAlgorithm;
  readonly x: string;
  readonly y: string;
}

/** A public signing key. The order of members is the order in which they are written. */
export type Jwk = RsaJwk | EcJwk;
