// Steps that move a cluster from one issuer to another, on a platform that changes its issuer when it is told to.
import { decodeJwt } from 'jose';
import { KeyturnError } from '../errors.ts';
import type { IssuerChanger } from '../platforms/port.ts';
import type { IssuerMigration } from '../rotation/issuer-migration.ts';
import { isRefreshedInPlace } from '../rotation/legacy-tokens.ts';
import { areClientsSlow, describeSlowClients } from '../rotation/slow-clients.ts';
import { verifyTokens } from '../token-probes/verify-tokens.ts';
import { freshRelyingParty } from './fresh-relying-party.ts';
import { publishDiscovery, publishKeys } from './issuer-steps.ts';
import { untilProven, type Patience } from './managed-steps.ts';
import { publicUrlsOf } from './publications.ts';
import { clientsAreSlow, countStaleTokens, lookForSlowClients } from './slow-client-steps.ts';
import type { StepOutcome } from './step-frame.ts';

/** Of a step of a migration: what it remembers stands on the platform, not in the cluster's Lease. */
export interface MigrationContext extends Patience {
  readonly migration: IssuerMigration;
  readonly issuers: IssuerChanger;
  /** RFC 3339, now. */
  now(): string;
}

/** With every key that is trusted: tokens of each of them may soon be of the new issuer. */
export async function publishIssuer(context: MigrationContext): Promise<StepOutcome> {
  const { adapters, control, migration } = context;
  const [apiServer] = adapters.apiServers;
  const keys = (await apiServer?.publicKeys()) ?? [];
  const changed = await publishKeys(adapters, keys, control);
  await publishDiscovery(adapters, keys, control);
  const kids = keys.map(({ kid }) => kid).join(', ');
  return {
    changed,
    begins: 'relyingParties',
    proof: `${publicUrlsOf(adapters)} shows ${kids} for ${migration.to}, byte for byte as written`,
  };
}

export function acceptIssuer(context: MigrationContext): Promise<StepOutcome> {
  return untilProven(context, () => context.issuers.accept(context.migration));
}

/** Tokens of the former issuer are kept from here on, to be shown again in Verifying. */
export async function switchIssuer(context: MigrationContext): Promise<StepOutcome> {
  const { adapters, migration } = context;
  for (const apiServer of adapters.apiServers) {
    const token = await apiServer.mintToken({ expirationSeconds: 3600 });
    if (issuerOf(token.token) === migration.from) adapters.formerTokens.keep(apiServer.node, token);
  }
  return untilIssuedAs(migration.to, context, () => context.issuers.issue(migration));
}

/** Undo of switchIssuer: tokens of the new issuer stay accepted, and are drained. */
export async function switchIssuerBack(context: MigrationContext): Promise<StepOutcome> {
  const { issuers, migration } = context;
  await issuers.remember(migration, null);
  return untilIssuedAs(migration.from, context, () => issuers.accept(migration));
}

export async function verifyIssuer(context: MigrationContext): Promise<StepOutcome> {
  const { adapters, issuers, migration, control } = context;
  const { apiServers, audience, formerTokens } = adapters;
  control.report(`trying tokens of ${migration.to} inside and outside`);
  const [apiServer] = apiServers;
  const former = formerTokens.valid(Date.now(), ({ token }) => issuerOf(token) === migration.from);
  const proofs = await verifyTokens({
    apiServers,
    expectedKid: (await apiServer?.mintToken())?.kid ?? '',
    relyingParty: freshRelyingParty(adapters, audience),
    audience,
    formerTokens: former,
  });
  const known = await issuers.verified();
  const verified = known ?? { at: context.now(), staleTokens: await countStaleTokens(context) };
  if (known === null) await issuers.remember(migration, verified);
  return {
    changed: false,
    begins: 'drain',
    at: verified.at,
    proof:
      `${proofs.length} checks of tokens, none refused: those of ${migration.to} at the API server and at a relying party` +
      (former.length > 0 ? `, ${former.length} of ${migration.from} at the API server` : ''),
  };
}

/**
 * Tokens in Secrets name an issuer of their own (kubernetes/serviceaccount), which is accepted whatever the issuer is: none has to be minted anew.
 * Gardener advises it all the same, so that it is done where the policy says that a token may die; with an RSA key it comes out the same.
 */
export async function recreateTokenSecrets({ adapters, input, control }: MigrationContext): Promise<StepOutcome> {
  const { tokens } = await adapters.reads.legacyTokens();
  const chosen = tokens.filter((token) => isRefreshedInPlace(token, input.policies.legacyTokens));
  const due = chosen.filter(({ rotationId }) => rotationId !== input.rotationId);
  for (const { namespace, name } of due) {
    control.report(`having the token in ${namespace}/${name} minted anew`);
    // No key is this one: also a token of the signing key is minted anew.
    await adapters.legacySecrets.remint({ namespace, name }, '', input.rotationId);
  }
  const left = tokens.length - chosen.length;
  return {
    changed: due.length > 0,
    proof:
      `${chosen.length} token(s) in Secrets minted anew` +
      (left > 0 ? `; ${left} stay, which are accepted whatever the issuer is` : ''),
  };
}

/**
 * The end of Draining: no API server tells which issuer a token in use is of, but each counts those that their clients do not reload.
 * @throws SLOW_CLIENTS where the policy says so; a retry looks again
 */
export async function lookForFormerTokens(context: MigrationContext): Promise<StepOutcome> {
  const { adapters, issuers, migration, input } = context;
  const at = context.now();
  const verified = (await issuers.verified()) ?? { at, staleTokens: { at, counts: [] } };
  const slowClients = await lookForSlowClients(context, verified.staleTokens, verified.at);
  if (adapters.policies.slowClients === 'hold' && areClientsSlow(slowClients)) {
    await issuers.remember(migration, { ...verified, staleTokens: await countStaleTokens(context) });
    throw clientsAreSlow(slowClients, input.cluster);
  }
  return { changed: false, proof: describeSlowClients(slowClients), slowClients };
}

/** From here on only forward. */
export async function forgetFormerIssuer(context: MigrationContext): Promise<StepOutcome> {
  const { migration, input } = context;
  const { drain } = input.waitEnds;
  if (drain === undefined || Date.parse(drain) > Date.now()) throw notDrained(migration.from);
  const outcome = await untilIssuedAs(migration.to, context, () => context.issuers.forgetFormer(migration));
  context.adapters.formerTokens.clear();
  return outcome;
}

/** Undo of acceptIssuer. */
export function forgetNewIssuer(context: MigrationContext): Promise<StepOutcome> {
  const { migration, issuers } = context;
  return untilIssuedAs(migration.from, context, () => issuers.forgetNew(migration));
}

/** Done when the platform says so and a token is of that issuer. */
function untilIssuedAs(
  issuer: string,
  context: MigrationContext,
  look: () => ReturnType<IssuerChanger['issue']>,
): Promise<StepOutcome> {
  return untilProven(context, async () => {
    const advance = await look();
    if ('waitingFor' in advance) return advance;
    for (const apiServer of context.adapters.apiServers) {
      const seen = issuerOf((await apiServer.mintToken()).token);
      if (seen !== issuer) return { waitingFor: `${apiServer.node}, whose tokens are still of ${seen}` };
    }
    return { ...advance, proof: `${advance.proof}; its tokens are of ${issuer}` };
  });
}

function issuerOf(token: string): string {
  return decodeJwt(token).iss ?? 'nobody';
}

function notDrained(issuer: string): KeyturnError {
  return new KeyturnError('GUARD_FAILED', `Tokens of ${issuer} may still be in use: the drain is not over`, {
    subject: issuer,
    remedy: 'Wait until it is over, or change it',
    details: { guards: ['drained'] },
  });
}
