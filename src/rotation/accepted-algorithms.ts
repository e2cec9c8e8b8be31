// Which signing algorithms the clouds that trust a cluster's tokens accept. Pure: usable in workflow code.
import type { KeyAlgorithm } from './key.ts';
import type { KeyLimit } from './publication-checks.ts';

/** Relying parties that a configuration can name. */
export type RelyingPartyName = 'azure' | 'aws' | 'google';

export interface RelyingPartyLimits {
  readonly algorithms: readonly KeyAlgorithm[];
  /** Keys of a JWKS behind this number are not read. Undefined where no number is known. */
  readonly maxKeys: number | undefined;
  /** Where this is said. */
  readonly source: string;
}

export const RELYING_PARTY_LIMITS: Readonly<Record<RelyingPartyName, RelyingPartyLimits>> = {
  azure: {
    algorithms: ['RS256'],
    maxKeys: 100,
    source:
      'Microsoft Entra workload identity federation, considerations: only issuers that sign with RS256, and the first 100 keys of the JWKS',
  },
  aws: {
    // STS announced ECDSA in November 2024 without naming curves. Until one is tried the safe answer stands: see siderolabs/talos #7418.
    algorithms: ['RS256'],
    maxKeys: undefined,
    source: 'siderolabs/talos issue #7418: AssumeRoleWithWebIdentity refused a token that was signed with ES256',
  },
  google: {
    algorithms: ['RS256', 'ES256'],
    maxKeys: undefined,
    source:
      'Google Cloud workload identity federation with other identity providers: tokens signed with RS256 or ES256',
  },
};

/** The named relying parties that would reject tokens signed with this algorithm, in the order given, each once. */
export function refusedBy(alg: KeyAlgorithm, names: readonly RelyingPartyName[]): readonly RelyingPartyName[] {
  return [...new Set(names)].filter((name) => !RELYING_PARTY_LIMITS[name].algorithms.includes(alg));
}

/** How many keys of a JWKS the named relying parties read, where a number is known. */
export function keyLimitsOf(names: readonly RelyingPartyName[]): readonly KeyLimit[] {
  return [...new Set(names)].flatMap((relyingParty) => {
    const { maxKeys } = RELYING_PARTY_LIMITS[relyingParty];
    return maxKeys === undefined ? [] : [{ relyingParty, maxKeys }];
  });
}
