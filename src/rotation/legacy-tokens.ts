// Which tokens in Secrets may die with their key, which must not, and which are made anew. Pure decisions over what was observed.
import { MINUTE_MS } from './duration.ts';
import type { LegacyToken } from './observation.ts';

/**
 * `hold`: the former key stays while a token of it was used since the switch. `refresh`: it gets a successor, and stays until nothing needs
 * it. `keep`: it may die with its key.
 */
export type LegacyTokenPolicy = 'hold' | 'refresh' | 'keep';

export interface LegacyTokenRule {
  readonly policy: LegacyTokenPolicy;
  /** Of `refresh`: minted anew in the same Secret, where what mounts it gets it late or never. Default false. */
  readonly inPlace?: boolean;
  /** Why; of `keep` it stands in the audit record. */
  readonly reason?: string;
}

/** For one Secret, or for all of a namespace. */
export interface LegacyTokenOverride extends LegacyTokenRule {
  readonly namespace: string;
  readonly secret?: string;
}

export interface LegacyTokenRules {
  readonly default: LegacyTokenPolicy;
  readonly inPlace?: boolean;
  readonly reason?: string;
  /** Who says so, where it is not keyturn.yaml. */
  readonly by?: string;
  readonly overrides: readonly LegacyTokenOverride[];
}

/** A bare word is the rule for all. */
export type LegacyTokenPolicies = LegacyTokenPolicy | LegacyTokenRules;

export function rulesOf(policies: LegacyTokenPolicies): LegacyTokenRules {
  return typeof policies === 'string' ? { default: policies, overrides: [] } : policies;
}

/** What a rotation's own input says replaces the configured policy; the audit record has who said so, and why. */
export function rulesAskedBy(policies: LegacyTokenPolicies, by: string, reason: string | undefined): LegacyTokenRules {
  return { ...(reason === undefined ? {} : { reason }), ...rulesOf(policies), by };
}

/** What is needed to tell whether a token was used since the switch. */
export interface LegacyTokenUse {
  /** When Verifying was proven, ms since the epoch; null before. */
  readonly switchedAtMs: number | null;
  /** Since which day API servers note the use of legacy tokens; null where they do not, or where that is not known. */
  readonly trackedSince: string | null;
}

export type LegacyTokenFate = 'holds' | 'unused' | 'accepted';

/** API servers' clocks may be behind by this: the day of the switch is told by the one that is. */
const CLOCK_SKEW_MS = 5 * MINUTE_MS;
const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** The rule for a Secret: its own, else that of its namespace, else the cluster's. */
export function ruleFor(policies: LegacyTokenPolicies, { namespace, name }: LegacyToken): LegacyTokenRule {
  const rules = rulesOf(policies);
  const ofNamespace = rules.overrides.filter((each) => each.namespace === namespace);
  const found =
    ofNamespace.find(({ secret }) => secret === name) ?? ofNamespace.find(({ secret }) => secret === undefined);
  return found ?? { ...rules, policy: rules.default };
}

/**
 * The label has a day (UTC) and no time, so a use on the day of the switch counts. No label means no use only where API servers have
 * noted uses all the while: what cannot be known counts as used.
 */
export function wasUsedSince({ lastUsed }: LegacyToken, { switchedAtMs, trackedSince }: LegacyTokenUse): boolean {
  if (switchedAtMs === null || trackedSince === null) return true;
  const switchDay = new Date(switchedAtMs - CLOCK_SKEW_MS).toISOString().slice(0, 10);
  if (!DAY.test(trackedSince) || trackedSince > switchDay) return true;
  return lastUsed !== null && (!DAY.test(lastUsed) || lastUsed >= switchDay);
}

/** What becomes of a token when the key that signed it is taken away. `refresh` promises that none is left to die. */
export function fateOf(token: LegacyToken, policies: LegacyTokenPolicies, use: LegacyTokenUse): LegacyTokenFate {
  const { policy } = ruleFor(policies, token);
  if (policy === 'keep') return 'accepted';
  if (policy === 'refresh') return 'holds';
  return wasUsedSince(token, use) ? 'holds' : 'unused';
}

/** A pod that runs now has the token as a file or in its environment; also where nobody could look. */
function isMounted({ references }: LegacyToken): boolean {
  if (references === null) return true;
  return references.some(({ how, running }) => running && (how === 'volume' || how === 'env'));
}

/** Refreshing: somebody has to be given another token. One that was never used and that nothing names has nobody. */
export function needsSuccessor(
  token: LegacyToken,
  policies: LegacyTokenPolicies,
  { trackedSince }: LegacyTokenUse,
): boolean {
  const { policy, inPlace = false } = ruleFor(policies, token);
  if (policy !== 'refresh' || inPlace) return false;
  return token.lastUsed !== null || trackedSince === null || token.references === null || token.references.length > 0;
}

/** Refreshing: its token is minted anew where it is, as asked. */
export function isRefreshedInPlace(token: LegacyToken, policies: LegacyTokenPolicies): boolean {
  const { policy, inPlace = false } = ruleFor(policies, token);
  return policy === 'refresh' && inPlace && !token.immutable;
}

/** Before Pruning: nobody has the token any more, so that minting it anew harms nobody. */
export function mayBeCleared(token: LegacyToken, policies: LegacyTokenPolicies, use: LegacyTokenUse): boolean {
  const { policy } = ruleFor(policies, token);
  return policy === 'refresh' && !token.immutable && !isMounted(token) && !wasUsedSince(token, use);
}

/** On the way back: a second Secret that nobody has taken into use. */
export function isUntouchedSuccessor(
  { successorOf, lastUsed, references }: LegacyToken,
  { trackedSince }: LegacyTokenUse,
): boolean {
  return successorOf !== null && trackedSince !== null && lastUsed === null && references?.length === 0;
}

const MAX_SHOWN = 5;

/**
 * Which Secrets keep a key from being taken away, who has them, and the ways out.
 * @param all every legacy token, for the successors that Keyturn made
 */
export function explainHold(holding: readonly LegacyToken[], all: readonly LegacyToken[], key: string): string {
  const shown = holding.slice(0, MAX_SHOWN).map((token) => describe(token, all));
  const more = holding.length > shown.length ? ` and ${holding.length - shown.length} more` : '';
  return (
    `${holding.length} legacy token Secret(s) are signed by the ${key} key and would die: ${shown.join(', ')}${more}. ` +
    'Move their users to other tokens and delete these Secrets, or clear their data.token, which kills the token at once and has it minted anew; ' +
    'then retry. Or roll back and start with another policies.legacyTokens for them'
  );
}

function describe(token: LegacyToken, all: readonly LegacyToken[]): string {
  const { namespace, name, lastUsed, references } = token;
  const successor = all.find((each) => each.namespace === namespace && each.successorOf === name);
  const facts = [
    lastUsed === null ? 'no use noted' : `last used ${lastUsed}`,
    references === null ? 'not known who mounts it' : referencesOf(token, 3).join(', ') || 'nothing mounts it',
    ...(token.immutable ? ['immutable'] : []),
    ...(successor === undefined ? [] : [`its successor is ${successor.name}`]),
  ];
  return `${namespace}/${name} (${facts.join('; ')})`;
}

/** Who names the Secret, in words: `Deployment web (volume)`. @param most of them; the rest is counted */
export function referencesOf({ references }: LegacyToken, most: number): readonly string[] {
  const words = (references ?? []).map(({ kind, name, how }) => `${kind} ${name} (${how})`);
  return words.length <= most ? words : [...words.slice(0, most), `${words.length - most} more`];
}
