// A relying party's answer in the words of a verdict: not being able to read the JWKS says nothing about the token.
import type { Verdict } from '../api-servers/port.ts';

/** As RelyingParty: throws where it cannot judge. */
export interface TokenVerifier {
  verify(token: string): Promise<{ readonly accepted: true } | { readonly accepted: false; readonly reason: string }>;
}

export const RELYING_PARTY = 'relying party';

export async function askRelyingParty(relyingParty: TokenVerifier, token: string): Promise<Verdict> {
  try {
    const verdict = await relyingParty.verify(token);
    return verdict.accepted ? { outcome: 'accepted' } : { outcome: 'rejected', reason: verdict.reason };
  } catch (error) {
    return { outcome: 'unreachable', reason: error instanceof Error ? error.message : 'unknown reason' };
  }
}
