// A relying party that has just read the public JWKS: what it refuses, every relying party refuses.
import { RelyingParty } from '../relying-parties/relying-party.ts';
import type { ClusterAdapters } from './cluster-adapters.ts';

/** @param audience that tokens must be for */
export function freshRelyingParty(
  { publicIssuer, issuer }: Pick<ClusterAdapters, 'publicIssuer' | 'issuer'>,
  audience: string,
): RelyingParty {
  const { jwksUrl: jwksUri, fetch } = publicIssuer;
  return new RelyingParty({ jwksUri, issuer, audience, cacheMs: 0, fetch });
}
