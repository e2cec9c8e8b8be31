// The N x N proof: a fresh token of each API server, tried at each API server in two ways and at a relying party.
import type { ApiServer, MintedToken, Verdict } from '../api-servers/port.ts';
import { KeyturnError } from '../errors.ts';
import type { Kid } from '../rotation/key.ts';
import { askRelyingParty, RELYING_PARTY, type TokenVerifier } from './ask-relying-party.ts';

export interface VerifyTokensOptions {
  readonly apiServers: readonly ApiServer[];
  /** With which every fresh token must be signed. */
  readonly expectedKid: Kid;
  readonly relyingParty: TokenVerifier;
  /** Audience of tokens for the relying party. */
  readonly audience: string;
  /** Of the former key, by the node that minted them: they must still be accepted by every API server. */
  readonly formerTokens: readonly { readonly node: string; readonly token: MintedToken }[];
}

export interface TokenProof {
  readonly mintedBy: string;
  readonly kid: Kid;
  readonly askedOf: string;
  readonly how: 'TokenReview' | 'request' | 'public JWKS';
}

/**
 * @throws TOKEN_REJECTED with the first rejection, or where an API server signs with another key
 * @throws API_SERVER_UNREACHABLE (retryable) where someone could not be asked
 */
export async function verifyTokens(options: VerifyTokensOptions): Promise<readonly TokenProof[]> {
  const { apiServers, expectedKid, relyingParty, audience, formerTokens } = options;
  const proofs: TokenProof[] = [];
  const prove = (proof: TokenProof, verdict: Verdict) => {
    if (verdict.outcome === 'rejected') throw rejected(proof, verdict.reason);
    if (verdict.outcome === 'unreachable') throw unreachable(proof, verdict.reason);
    proofs.push(proof);
  };
  const proveInside = async (mintedBy: string, { token, kid }: MintedToken) => {
    for (const asked of apiServers) {
      const askedOf = asked.node;
      prove({ mintedBy, kid, askedOf, how: 'TokenReview' }, await asked.reviewToken(token));
      prove({ mintedBy, kid, askedOf, how: 'request' }, await asked.useToken(token));
    }
  };
  for (const apiServer of apiServers) {
    const inside = await apiServer.mintToken();
    const outside = await apiServer.mintToken({ audiences: [audience] });
    for (const { kid } of [inside, outside])
      if (kid !== expectedKid) throw signsWithAnother(apiServer, kid, expectedKid);
    await proveInside(apiServer.node, inside);
    const proof = { mintedBy: apiServer.node, kid: outside.kid, askedOf: RELYING_PARTY, how: 'public JWKS' } as const;
    prove(proof, await askRelyingParty(relyingParty, outside.token));
  }
  for (const { node, token } of formerTokens) await proveInside(node, token);
  return proofs;
}

function rejected({ mintedBy, kid, askedOf, how }: TokenProof, reason: string): KeyturnError {
  return new KeyturnError(
    'TOKEN_REJECTED',
    `${askedOf} rejected a valid token of ${mintedBy} with ${kid} (${how}: ${reason})`,
    {
      subject: askedOf,
      remedy: 'All keys stay trusted and published. Find out what differs there, then retry or roll back',
    },
  );
}

function signsWithAnother({ node, url }: ApiServer, kid: Kid, expected: Kid): KeyturnError {
  return new KeyturnError('TOKEN_REJECTED', `The API server of ${node} signs with ${kid} instead of ${expected}`, {
    subject: url,
    remedy: 'Someone changed its --service-account-signing-key-file: find out who, then retry or roll back',
  });
}

function unreachable({ mintedBy, askedOf, how }: TokenProof, reason: string): KeyturnError {
  return new KeyturnError(
    'API_SERVER_UNREACHABLE',
    `${askedOf} could not be asked about a token of ${mintedBy} (${how}: ${reason})`,
    {
      subject: askedOf,
      remedy: 'The step is tried again by itself',
      retryable: true,
    },
  );
}
