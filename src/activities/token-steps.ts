// Proofs by tokens: the N x N proof of Verifying, and the key with which the controller manager signs.
import { KeyturnError } from '../errors.ts';
import type { Kid } from '../rotation/key.ts';
import { verifyTokens } from '../token-probes/verify-tokens.ts';
import type { ClusterAdapters } from './cluster-adapters.ts';
import { freshRelyingParty } from './fresh-relying-party.ts';
import type { StepContext, StepOutcome } from './step-frame.ts';

/**
 * Verifying: a token of each API server has the new `kid` and is accepted by each API server and by a relying party that knows only the
 * public JWKS; tokens of the former key still are.
 */
export async function verify(context: StepContext): Promise<StepOutcome> {
  const { adapters, record, control } = context;
  const { audience, apiServers, formerTokens } = adapters;
  control.report('trying a token of each API server at each API server and at a relying party');
  const former = formerTokens.valid(Date.now(), ({ kid }) => kid === record.former.kid);
  const proofs = await verifyTokens({
    apiServers,
    expectedKid: record.next.kid,
    relyingParty: freshRelyingParty(adapters, audience),
    audience,
    formerTokens: former,
  });
  const { otherSignerAt, verifiedAt, ...milestones } = record.milestones;
  const at = (otherSignerAt === undefined ? verifiedAt : undefined) ?? context.now();
  await context.saveRecord({ milestones: { ...milestones, verifiedAt: at } });
  return {
    changed: false,
    at,
    proof: `${proofs.length} checks of fresh tokens with ${record.next.kid} at ${apiServers.length} API servers and a relying party, none refused; ${tellOfFormer(adapters, former.length)}`,
  };
}

function tellOfFormer({ platform: { capabilities } }: ClusterAdapters, count: number): string {
  if (capabilities.ordering === 'managed' && capabilities.formerKey === 'forgotten-by-itself')
    return 'tokens of the former key were not tried, since the platform deletes that key by itself';
  if (count > 0) return `${count} token(s) of the former key are still accepted`;
  return 'no token of the former key was at hand, since another worker began to sign; every API server still publishes that key';
}

/**
 * The leading controller manager signs legacy tokens with the new key, or with `expected`. Not asked in Verifying, because a controller manager
 * that took over from a restarted one leads only when the former's lease has run out, 15 s later.
 * @throws EFFECT_MISSING (retryable) where no controller manager answers, TOKEN_REJECTED where it signs with another key
 */
export async function proveControllerManager(
  { adapters, record, control }: StepContext,
  expected: Kid = record.next.kid,
): Promise<string> {
  const { capabilities } = adapters.platform;
  if (capabilities.ordering === 'managed') {
    if (capabilities.legacyTokens === 'of-another-key')
      return 'legacy tokens are signed with another key, which the rotation leaves alone';
  } else if (record.layouts.every(({ controllerManagerKeyFile }) => controllerManagerKeyFile === null)) {
    return 'no controller manager signs legacy tokens';
  }
  control.report('waiting for a legacy token of the leading controller manager');
  const kid = await adapters.reads.mintLegacyToken();
  if (kid === expected)
    return `the leading controller manager signs with the ${expected === record.next.kid ? 'new' : 'former'} key`;
  throw new KeyturnError(
    'TOKEN_REJECTED',
    `The leading controller manager signs legacy tokens with ${kid} instead of ${expected}`,
    {
      subject: 'kube-controller-manager',
      remedy: 'Look at --service-account-private-key-file of each controller manager, then retry or roll back',
    },
  );
}
