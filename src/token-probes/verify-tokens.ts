// The proof of Verifying: a token of each API server is tried at each API server and at a relying party.
import type { ApiServer, MintedToken, Verdict } from '../api-servers/port.ts';
import { KeyturnError } from '../errors.ts';
import type { Kid } from '../rotation/key.ts';
import { RELYING_PARTY, askRelyingParty } from './ask-relying-party.ts';
import type { TokenVerifier } from './ask-relying-party.ts';

/** One token shown to one party in one way. No secrets. */
export interface TokenProof {
  /** Node whose API server minted the token. */
  readonly mintedBy: string;
  readonly kid: Kid;
  /** Node, or `relying party`. */
  readonly askedOf: string;
  /** `request`: the token as the only credential; `review`: TokenReview; `jwks`: verified with the public JWKS. */
  readonly how: 'request' | 'review' | 'jwks';
  readonly outcome: Verdict['outcome'];
  /** Where it was not accepted. */
  readonly reason?: string;
}

export interface VerifyTokensOptions {
  readonly apiServers: readonly ApiServer[];
  /** With which every API server must sign by now. */
  readonly expectedKid: Kid;
  /** Default: no relying party is asked. */
  readonly relyingParty?: TokenVerifier;
  /** Audience of tokens for the relying party. */
  readonly audience: string;
  /** Tokens for the API servers' own audience that were minted with the former key: they cannot be minted any more. Default: none. */
  readonly formerTokens?: readonly { readonly node: string; readonly token: MintedToken }[];
}

interface Shown {
  readonly mintedBy: string;
  readonly token: MintedToken;
}

/**
 * @returns every proof; all of them are `accepted`
 * @throws EFFECT_MISSING where an API server signs with another key than expected; TOKEN_REJECTED (not retryable), with the rejections in the
 *   details; API_SERVER_UNREACHABLE (retryable) where someone gave no verdict, API_SERVER_FORBIDDEN
 */
export async function verifyTokens(options: VerifyTokensOptions): Promise<readonly TokenProof[]> {
  const { apiServers, expectedKid, relyingParty, audience, formerTokens = [] } = options;
  const fresh = await mintAll(apiServers, expectedKid);
  const former = formerTokens.map(({ node, token }) => ({ mintedBy: node, token }));
  const external = relyingParty === undefined ? [] : await mintAll(apiServers, expectedKid, audience);

  const byApiServers = apiServers.map(async (apiServer) => {
    const proofs: TokenProof[] = [];
    for (const shown of [...fresh, ...former]) {
      const { token } = shown.token;
      proofs.push(proof(shown, apiServer.node, 'review', await apiServer.reviewToken(token)));
      proofs.push(proof(shown, apiServer.node, 'request', await apiServer.useToken(token)));
    }
    return proofs;
  });
  const byRelyingParty = external.map(async (shown) => {
    if (relyingParty === undefined) return [];
    return [proof(shown, RELYING_PARTY, 'jwks', await askRelyingParty(relyingParty, shown.token.token))];
  });
  const proofs = (await Promise.all([...byApiServers, ...byRelyingParty])).flat();

  const rejected = proofs.filter(({ outcome }) => outcome === 'rejected');
  if (rejected.length > 0) throw tokensRejected(rejected, proofs.length);
  const [unanswered] = proofs.filter(({ outcome }) => outcome === 'unreachable');
  if (unanswered !== undefined) throw noVerdict(unanswered);
  return proofs;
}

async function mintAll(
  apiServers: readonly ApiServer[],
  expectedKid: Kid,
  audience?: string,
): Promise<readonly Shown[]> {
  const options = audience === undefined ? {} : { audiences: [audience] };
  return Promise.all(
    apiServers.map(async (apiServer) => {
      const token = await apiServer.mintToken(options);
      if (token.kid === expectedKid) return { mintedBy: apiServer.node, token };
      throw new KeyturnError(
        'EFFECT_MISSING',
        `${apiServer.node} signs with key ${token.kid} instead of ${expectedKid}`,
        {
          subject: apiServer.url,
          remedy: 'Look at --service-account-signing-key-file of its kube-apiserver, then retry or roll back',
          details: { node: apiServer.node, kid: token.kid, expectedKid },
        },
      );
    }),
  );
}

function proof({ mintedBy, token }: Shown, askedOf: string, how: TokenProof['how'], verdict: Verdict): TokenProof {
  const { outcome } = verdict;
  return {
    mintedBy,
    kid: token.kid,
    askedOf,
    how,
    outcome,
    ...('reason' in verdict ? { reason: verdict.reason } : {}),
  };
}

function tokensRejected(rejected: readonly TokenProof[], asked: number): KeyturnError {
  const [first] = rejected;
  const example = `${first?.askedOf} refused a token of ${first?.mintedBy} with key ${first?.kid}: ${first?.reason}`;
  return new KeyturnError(
    'TOKEN_REJECTED',
    `${rejected.length} of ${asked} token checks were rejected; the first: ${example}`,
    {
      subject: first?.askedOf ?? '',
      remedy: 'Nothing of the former key was removed yet: find out why, then retry or roll back',
      details: { rejected: rejected.slice(0, 20) },
    },
  );
}

function noVerdict({ askedOf, mintedBy, reason }: TokenProof): KeyturnError {
  return new KeyturnError('API_SERVER_UNREACHABLE', `${askedOf} gave no verdict on a token of ${mintedBy}: ${reason}`, {
    subject: askedOf,
    remedy: 'Wait until it answers',
    retryable: true,
    details: { reason },
  });
}
