// What is due for a Shoot whose issuer is changed: a change of its serviceAccountConfig, a wait, or a proof; and what speaks against it. Pure.
import { DAY_MS } from '../../rotation/duration.ts';
import type { IssuerMigration } from '../../rotation/issuer-migration.ts';
import type { Problem } from '../../rotation/observation.ts';
import type { VerifiedIssuer } from '../port.ts';
import { changedBySomebody, lastOperationFailed } from './refusals.ts';
import {
  hasManagedIssuer,
  lastOperationInWords,
  serviceAccountConfigOf,
  titleOf,
  tokenLifetimesOf,
  type Shoot,
} from './shoot.ts';

/** Written to the Shoot together with the change itself, so that another run can take it up. */
export interface MigrationMemory extends IssuerMigration {
  readonly verified?: VerifiedIssuer;
}

/** `accepting`: the former issues, both are accepted; `issuing`: the new one issues; `alone`: the former is gone; `before`: the new one is. */
export type IssuerState = 'accepting' | 'issuing' | 'alone' | 'before';

export interface IssuerSettings {
  /** Null: the platform's own. */
  readonly issuer: string | null;
  readonly acceptedIssuers: readonly string[];
}

export function settingsOf(state: IssuerState, migration: IssuerMigration): IssuerSettings {
  const { from, to, fromIsDefault, acceptedBefore } = migration;
  const others = acceptedBefore.filter((issuer) => issuer !== to && issuer !== from);
  const former = fromIsDefault ? null : from;
  switch (state) {
    case 'before':
      return { issuer: former, acceptedIssuers: acceptedBefore };
    case 'accepting':
      return { issuer: former, acceptedIssuers: [...others, to] };
    case 'issuing':
      return { issuer: to, acceptedIssuers: fromIsDefault ? others : [...others, from] };
    case 'alone':
      return { issuer: to, acceptedIssuers: others };
  }
}

export type IssuerDue =
  { readonly change: IssuerSettings } | { readonly waitingFor: string } | { readonly proof: string };

/** @throws PLATFORM_CHANGED where the Shoot has issuers that no state of this migration has; PLATFORM_FAILED */
export function dueForIssuers(shoot: Shoot, state: IssuerState, migration: IssuerMigration): IssuerDue {
  const { issuer = null, acceptedIssuers } = serviceAccountConfigOf(shoot);
  const now = { issuer, acceptedIssuers };
  const wanted = settingsOf(state, migration);
  if (!isSame(now, wanted)) {
    const states = ['before', 'accepting', 'issuing', 'alone'] as const;
    if (states.some((each) => isSame(now, settingsOf(each, migration)))) return { change: wanted };
    throw changedBySomebody(
      shoot,
      `Its issuer is ${issuer ?? 'the default'} with ${acceptedIssuers.join(', ') || 'none'} accepted besides, which is nothing that this migration has made`,
    );
  }
  const { observedGeneration = 0, lastOperation } = shoot.status;
  const isSeen = observedGeneration >= shoot.metadata.generation;
  if (isSeen && lastOperation?.state === 'Failed') throw lastOperationFailed(shoot);
  if (!isSeen || lastOperation?.state !== 'Succeeded') {
    return { waitingFor: `Gardener, which is to change the issuers: ${lastOperationInWords(shoot)}` };
  }
  return { proof: `Gardener has reconciled generation ${shoot.metadata.generation} of ${titleOf(shoot)}` };
}

function isSame(a: IssuerSettings, b: IssuerSettings): boolean {
  const accepted = new Set(b.acceptedIssuers);
  return (
    a.issuer === b.issuer &&
    a.acceptedIssuers.length === accepted.size &&
    a.acceptedIssuers.every((issuer) => accepted.has(issuer))
  );
}

const LEAST_MAX_EXPIRATION_MS = 30 * DAY_MS;
const GREATEST_MAX_EXPIRATION_MS = 90 * DAY_MS;

/** What Gardener's API would refuse, in our words, and what it would let pass though it cannot be done. */
export function findIssuerProblems(shoot: Shoot, migration: IssuerMigration): readonly Problem[] {
  const { to, from } = migration;
  const { issuer, acceptedIssuers } = serviceAccountConfigOf(shoot);
  const { maxTokenExpirationMs } = tokenLifetimesOf(shoot);
  const title = titleOf(shoot);
  const reasons = [
    ...(hasManagedIssuer(shoot)
      ? [
          `${title} has a managed issuer, which cannot be taken back and excludes another one: its tokens are of Gardener's address for good.`,
        ]
      : []),
    ...[to, ...acceptedIssuers].flatMap((each) => {
      const flaw = flawOf(each);
      return flaw === undefined ? [] : [`The issuer ${each} ${flaw}. Correct it.`];
    }),
    ...(from === to ? [`${title} issues as ${to} already: there is nothing to migrate.`] : []),
    ...(new Set(acceptedIssuers).size < acceptedIssuers.length || acceptedIssuers.some((each) => each === issuer)
      ? [`${title} names an issuer twice: acceptedIssuers must be unique, and not name the issuer itself.`]
      : []),
    ...(maxTokenExpirationMs !== null &&
    (maxTokenExpirationMs < LEAST_MAX_EXPIRATION_MS || maxTokenExpirationMs > GREATEST_MAX_EXPIRATION_MS)
      ? [`${title} has a maxTokenExpiration outside of the 30 to 90 days that Gardener allows. Correct it first.`]
      : []),
  ];
  return reasons.map((message) => ({ code: 'PREFLIGHT_REFUSED', subject: title, message }));
}

/** OpenID Connect Discovery 1.0 section 3: https, a host, no query or fragment. Gardener wants no user information either. */
function flawOf(issuer: string): string | undefined {
  const url = URL.parse(issuer);
  if (url === null) return 'is no URL';
  if (url.protocol !== 'https:') return 'is not https';
  if (url.username !== '' || url.password !== '') return 'has user information in it';
  return /[?#]/.test(issuer) ? 'has a query or a fragment' : undefined;
}
