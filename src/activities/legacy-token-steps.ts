// Steps on tokens in Secrets, which no kubelet replaces: successors in Refreshing, a last look before Pruning, and the way back.
import { KeyturnError } from '../errors.ts';
import type { Kid } from '../rotation/key.ts';
import { reportLegacyTokens, summarizeLegacyTokens, type LegacyTokenReport } from '../rotation/legacy-token-report.ts';
import {
  explainHold,
  fateOf,
  isRefreshedInPlace,
  isUntouchedSuccessor,
  mayBeCleared,
  needsSuccessor,
  type LegacyTokenUse,
} from '../rotation/legacy-tokens.ts';
import type { LegacyToken, LegacyTokens } from '../rotation/observation.ts';
import { areClientsSlow, describeSlowClients } from '../rotation/slow-clients.ts';
import { clientsAreSlow, countStaleTokens, lookForSlowClients } from './slow-client-steps.ts';
import type { StepContext, StepOutcome } from './step-frame.ts';
import { proveControllerManager } from './token-steps.ts';

/**
 * Refreshing: bound tokens are replaced by kubelet. For legacy tokens of the former key second Secrets are made, or they are minted anew
 * where they are, as the policy asks; those that are in use are told to whoever must move their users.
 */
export async function refresh(context: StepContext): Promise<StepOutcome> {
  const { record, input, control } = context;
  // A rotation that is taken up goes on counting.
  if (record.staleTokens === undefined) await context.saveRecord({ staleTokens: await countStaleTokens(context) });
  const { legacyTokens: policies } = input.policies;
  const observed = await observe(context);
  const use = useOf(context, observed);
  const ofFormer = observed.tokens.filter(({ kid }) => kid === record.former.kid);
  // A second Secret of this rotation that another key signed, since the leading controller manager was not the one that was asked.
  const mistaken = ofFormer.filter(
    ({ rotationId, successorOf }) => rotationId === record.rotationId && successorOf !== null,
  );
  const inPlace = ofFormer.filter((token) => !mistaken.includes(token) && isRefreshedInPlace(token, policies));
  const succeeded = ofFormer.filter((token) => !mistaken.includes(token) && needsSuccessor(token, policies, use));
  if (mistaken.length + inPlace.length + succeeded.length > 0) await proveControllerManager(context);
  for (const token of [...mistaken, ...inPlace]) await remint(context, token, record.next.kid, record.rotationId);
  for (const token of succeeded) {
    control.report(`making a second Secret for ${token.namespace}/${token.name}`);
    const { name, kid } = await context.adapters.legacySecrets.mintSuccessor(token, record.rotationId);
    if (kid !== record.next.kid) throw signedByAnother({ ...token, name }, kid, record.next.kid);
  }
  const changed = mistaken.length + inPlace.length + succeeded.length > 0;
  const report = reportOf(context, changed ? await observe(context) : observed);
  return { changed, proof: summarizeLegacyTokens(report), legacyTokenReport: report };
}

/**
 * The end of Draining: mints anew what was to be refreshed and what nobody has any more, and looks who still needs the former key. Where that is
 * not clear it asks: a retry looks again.
 * @throws LEGACY_TOKENS_IN_USE, SLOW_CLIENTS
 */
export async function settle(context: StepContext): Promise<StepOutcome> {
  const { record, input, adapters } = context;
  const { legacyTokens: policies } = input.policies;
  const before = await observe(context);
  const isOfFormer = ({ kid }: LegacyToken) => kid === record.former.kid;
  const cleared = before.tokens.filter(
    (token) => isOfFormer(token) && mayBeCleared(token, policies, useOf(context, before)),
  );
  if (cleared.length > 0) await proveControllerManager(context);
  for (const token of cleared) await remint(context, token, record.next.kid, record.rotationId);

  const observed = cleared.length > 0 ? await observe(context) : before;
  const report = reportOf(context, observed);
  const { verifiedAt } = record.milestones;
  const baseline = record.staleTokens ?? { at: verifiedAt ?? context.now(), counts: [] };
  const slowClients = await lookForSlowClients(context, baseline, verifiedAt);
  const holding = observed.tokens.filter(
    (token) => isOfFormer(token) && fateOf(token, policies, useOf(context, observed)) === 'holds',
  );
  const mustAsk = adapters.policies.slowClients === 'hold' && areClientsSlow(slowClients);
  // Told once: a retry asks about what was seen since.
  if (mustAsk) await context.saveRecord({ staleTokens: await countStaleTokens(context) });
  if (holding.length > 0) {
    const reason = explainHold(holding, observed.tokens, 'former');
    throw legacyTokensInUse(mustAsk ? `${reason}. And ${describeSlowClients(slowClients)}` : reason, input.cluster);
  }
  if (mustAsk) throw clientsAreSlow(slowClients, input.cluster);
  return {
    changed: cleared.length > 0,
    proof: `${summarizeLegacyTokens(report)}; ${describeSlowClients(slowClients)}`,
    legacyTokenReport: report,
    slowClients,
  };
}

/**
 * The way back, once controller managers have the former key again: second Secrets that nobody took into use are removed, and what was minted
 * anew in its place is minted with the former key. What is left then keeps the new key from being distrusted.
 */
export async function restore(context: StepContext): Promise<StepOutcome> {
  const { record, adapters, control } = context;
  const observed = await observe(context);
  const ours = observed.tokens.filter(({ rotationId }) => rotationId === record.rotationId);
  const removed = ours.filter((token) => isUntouchedSuccessor(token, useOf(context, observed)));
  const reminted = ours.filter(({ kid, successorOf }) => successorOf === null && kid === record.next.kid);
  for (const { namespace, name } of removed) {
    control.report(`removing the second Secret ${namespace}/${name}`);
    await adapters.legacySecrets.remove({ namespace, name });
  }
  if (reminted.length > 0) await proveControllerManager(context, record.former.kid);
  for (const token of reminted) await remint(context, token, record.former.kid, null);
  const left = ours.filter(({ successorOf }) => successorOf !== null).length - removed.length;
  return {
    changed: removed.length + reminted.length > 0,
    proof:
      `${removed.length} second Secret(s) removed, ${reminted.length} token(s) minted with the former key again` +
      (left > 0 ? `; ${left} second Secret(s) are in use and stay` : ''),
  };
}

async function observe({ adapters, record, control }: StepContext): Promise<LegacyTokens> {
  control.report('looking for legacy tokens and who mounts them');
  return adapters.reads.legacyTokens([record.former.kid, record.next.kid]);
}

function useOf({ record }: StepContext, { trackedSince }: LegacyTokens): LegacyTokenUse {
  const { verifiedAt } = record.milestones;
  return { switchedAtMs: verifiedAt === undefined ? null : Date.parse(verifiedAt), trackedSince };
}

function reportOf(context: StepContext, observed: LegacyTokens): LegacyTokenReport {
  const { record, input } = context;
  return reportLegacyTokens({
    observed,
    policies: input.policies.legacyTokens,
    formerKid: record.former.kid,
    rotationId: record.rotationId,
    switchedAtMs: useOf(context, observed).switchedAtMs,
  });
}

async function remint(
  { adapters, control }: StepContext,
  token: LegacyToken,
  wanted: Kid,
  mark: string | null,
): Promise<void> {
  control.report(`having the token in ${token.namespace}/${token.name} minted anew`);
  const kid = await adapters.legacySecrets.remint(token, wanted, mark);
  if (kid !== null && kid !== wanted) throw signedByAnother(token, kid, wanted);
}

/** Seen by the key and by nothing else: the controller manager that led a moment ago may have been replaced. */
function signedByAnother({ namespace, name }: LegacyToken, kid: Kid, wanted: Kid): KeyturnError {
  const subject = `${namespace}/${name}`;
  return new KeyturnError(
    'TOKEN_REJECTED',
    `The new token in Secret ${subject} is signed with ${kid} instead of ${wanted}`,
    {
      subject,
      remedy: 'Look at --service-account-private-key-file of each controller manager, then retry or roll back',
    },
  );
}

function legacyTokensInUse(problem: string, subject: string): KeyturnError {
  const remedy = 'Nothing of the former key was taken away yet';
  return new KeyturnError('LEGACY_TOKENS_IN_USE', problem, { subject, remedy });
}
