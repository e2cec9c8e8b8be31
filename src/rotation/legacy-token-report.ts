// What is told of legacy tokens, in a size that a history can bear however many there are: counts, and the Secrets that matter most.
import type { Kid } from './key.ts';
import {
  fateOf,
  referencesOf,
  ruleFor,
  rulesOf,
  type LegacyTokenFate,
  type LegacyTokenPolicies,
  type LegacyTokenPolicy,
} from './legacy-tokens.ts';
import type { LegacyToken, LegacyTokens } from './observation.ts';

/** Of a token of the former key what becomes of it (`signed` before the switch); of another one what this rotation did. */
export type LegacyTokenState = LegacyTokenFate | 'signed' | 'successor' | 'refreshed';

export interface ReportedLegacyToken {
  readonly namespace: string;
  readonly name: string;
  readonly state: LegacyTokenState;
  readonly policy: LegacyTokenPolicy;
  readonly inPlace: boolean;
  readonly lastUsed: string | null;
  /** At most three, in words, and how many more; null where not known. */
  readonly mountedBy: readonly string[] | null;
  /** Of a second Secret: the one that it was made for. */
  readonly successorOf?: string;
  /** Why and by whom its loss is accepted. */
  readonly accepted?: { readonly reason: string; readonly by: string };
}

export interface LegacyTokenReport {
  /** Secrets with a token. */
  readonly total: number;
  /** By the key that signed them, most first; at most ten keys. */
  readonly byKid: readonly { readonly kid: Kid; readonly count: number }[];
  /** Those of the former key and those that the rotation made, what holds it first; at most 40. */
  readonly secrets: readonly ReportedLegacyToken[];
  /** How many of them are not listed. */
  readonly leftOut: number;
  readonly trackedSince: string | null;
  readonly referencesUnknown: string | null;
}

export interface ReportInput {
  readonly observed: LegacyTokens;
  readonly policies: LegacyTokenPolicies;
  readonly formerKid: Kid;
  /** Null before there is one. */
  readonly rotationId: string | null;
  /** When Verifying was proven, ms since the epoch; null before. */
  readonly switchedAtMs: number | null;
}

const MAX_SECRETS = 40;
const MAX_KIDS = 10;
const ORDER: readonly LegacyTokenState[] = ['holds', 'signed', 'accepted', 'unused', 'successor', 'refreshed'];

export function reportLegacyTokens(input: ReportInput): LegacyTokenReport {
  const { tokens, trackedSince, referencesUnknown } = input.observed;
  const counts = [...Map.groupBy(tokens, ({ kid }) => kid)].map(([kid, of]) => ({ kid, count: of.length }));
  const listed = tokens.flatMap((token) => reported(token, input)).toSorted(byWeight);
  return {
    total: tokens.length,
    byKid: counts.toSorted((a, b) => b.count - a.count).slice(0, MAX_KIDS),
    secrets: listed.slice(0, MAX_SECRETS),
    leftOut: Math.max(0, listed.length - MAX_SECRETS),
    trackedSince,
    referencesUnknown,
  };
}

function reported(token: LegacyToken, input: ReportInput): readonly ReportedLegacyToken[] {
  const state = stateOf(token, input);
  if (state === null) return [];
  const { namespace, name, lastUsed, successorOf, references } = token;
  const { policy, inPlace = false, reason } = ruleFor(input.policies, token);
  const { by } = rulesOf(input.policies);
  return [
    {
      namespace,
      name,
      state,
      policy,
      inPlace,
      lastUsed,
      mountedBy: references === null ? null : referencesOf(token, 3),
      ...(successorOf === null ? {} : { successorOf }),
      ...(policy === 'keep' ? { accepted: { reason: reason ?? 'none given', by: by ?? 'keyturn.yaml' } } : {}),
    },
  ];
}

function stateOf(token: LegacyToken, { observed, policies, formerKid, rotationId, switchedAtMs }: ReportInput) {
  if (token.kid === formerKid) {
    const { trackedSince } = observed;
    return switchedAtMs === null ? 'signed' : fateOf(token, policies, { switchedAtMs, trackedSince });
  }
  if (rotationId === null || token.rotationId !== rotationId) return null;
  return token.successorOf === null ? 'refreshed' : 'successor';
}

function byWeight(a: ReportedLegacyToken, b: ReportedLegacyToken): number {
  const place = ({ state }: ReportedLegacyToken) => ORDER.indexOf(state);
  return place(a) - place(b) || (b.lastUsed ?? '').localeCompare(a.lastUsed ?? '');
}

const WORDS: Readonly<Record<LegacyTokenState, string>> = {
  holds: 'keeps the former key',
  signed: 'signed by the key that is retired',
  accepted: 'dies with the former key, as accepted',
  unused: 'not used since the switch, dies with the former key',
  successor: 'second Secret',
  refreshed: 'minted anew',
};

/** One line for a proof or a status: how many of which state. */
export function summarizeLegacyTokens({ secrets, leftOut }: LegacyTokenReport): string {
  if (secrets.length === 0) return 'no legacy token is signed by the former key';
  const groups = [...Map.groupBy(secrets, ({ state }) => state)].map(([state, of]) => {
    const names = of.slice(0, 3).map(({ namespace, name }) => `${namespace}/${name}`);
    return `${of.length} ${WORDS[state]} (${names.join(', ')}${of.length > names.length ? ', ...' : ''})`;
  });
  return `legacy tokens: ${groups.join('; ')}${leftOut > 0 ? `; ${leftOut} more` : ''}`;
}

/** One line a Secret, for a terminal. */
export function legacyTokenLines(report: LegacyTokenReport, formerKid: Kid): readonly string[] {
  const { total, byKid, secrets, leftOut, trackedSince, referencesUnknown } = report;
  if (total === 0) return ['Legacy tokens: none'];
  const keys = byKid.map(
    ({ kid, count }) => `  ${count} of ${kid}${kid === formerKid ? ' (the key that is retired)' : ''}`,
  );
  const lines = secrets.map(({ namespace, name, state, policy, inPlace, lastUsed, mountedBy, successorOf }) => {
    const who = mountedBy === null ? 'not known who mounts it' : mountedBy.join(', ') || 'nothing mounts it';
    const made = successorOf === undefined ? '' : ` of ${successorOf}`;
    const how = `${policy}${inPlace ? ' in place' : ''}`;
    return `  ${namespace}/${name}  ${WORDS[state]}${made}  last used ${lastUsed ?? '-'}  policy ${how}  ${who}`;
  });
  return [
    `Legacy tokens: ${total} Secret(s), by the key that signed them`,
    ...keys,
    ...lines,
    ...(leftOut > 0 ? [`  and ${leftOut} more`] : []),
    ...(trackedSince === null ? ['  When they were used is not known: every one of them counts as in use'] : []),
    ...(referencesUnknown === null ? [] : [`  Who mounts them is not known: ${referencesUnknown}`]),
  ];
}
