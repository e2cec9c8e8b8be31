// How long tokens of the former key can matter, computed from what was observed and shown with its arithmetic.
import { formatDuration, SECOND_MS, MINUTE_MS, DAY_MS } from './duration.ts';
import { KUBELET_DELAYS, KUBELET_MAX_AGE_MS, KUBELET_REFRESH_PERCENT, type WaitTerm } from './kubelet-refresh.ts';
import type { TokenLifetimeFlags } from './observation.ts';

/** How the wait of Draining is chosen. Durations in ms. */
export type DrainPolicy =
  /** Until every client that reloads its token holds one of the new key. */
  | { readonly policy: 'refreshing' }
  /** Until the last token of the former key has expired; `boundMs` is needed where the cluster sets no bound. */
  | { readonly policy: 'expiry'; readonly boundMs?: number }
  /** So long; `allowShorter` is the recorded override for less than what `refreshing` computes. */
  | { readonly policy: 'fixed'; readonly durationMs: number; readonly allowShorter?: string };

export interface DrainComputation {
  readonly policy: DrainPolicy['policy'];
  readonly totalMs: number;
  /** What the total is the sum of, or the single bound that it is. */
  readonly terms: readonly WaitTerm[];
  /** Shortest wait that is safe for clients that reload, for comparison. */
  readonly refreshingMs: number;
  /** The arithmetic as one sentence. */
  readonly explanation: string;
  /** Why less than `refreshingMs` was accepted. */
  readonly override?: string;
}

export type DrainRefusal = { readonly refused: string };

/** Admission extends injected tokens to this (kube-apiserver ExpirationExtensionSeconds = 365 d). */
const EXTENDED_TOKEN_MS = 365 * DAY_MS;
/** The longest lifetime that the TokenRequest API grants (2^32 s): no wait need be longer. */
const MAX_WAIT_MS = 2 ** 32 * SECOND_MS;
/** client-go reads the token file again after this. */
const CLIENT_RELOAD_MS = MINUTE_MS;
/** Clocks of nodes, API servers and relying parties may differ by this. */
const CLOCK_SKEW_MS = 5 * MINUTE_MS;

const SHAPE =
  'a drain is {"policy": "refreshing"}, {"policy": "expiry", "boundMs": ...} or {"policy": "fixed", "durationMs": ..., "allowShorter": "why"}, ' +
  `with whole milliseconds from 0 to ${MAX_WAIT_MS}`;

/** Operators send it by hand: an Update's input has been through no schema. */
function isDrainPolicy(value: unknown): value is DrainPolicy {
  if (typeof value !== 'object' || value === null) return false;
  const { policy, boundMs, durationMs, allowShorter } = value as Readonly<Record<string, unknown>>;
  const isWait = (ms: unknown) => typeof ms === 'number' && Number.isInteger(ms) && ms >= 0 && ms <= MAX_WAIT_MS;
  if (policy === 'refreshing') return true;
  if (policy === 'expiry') return boundMs === undefined || isWait(boundMs);
  return policy === 'fixed' && isWait(durationMs) && ['string', 'undefined'].includes(typeof allowShorter);
}

/** Terms of the `refreshing` policy: how long a client that reloads can go on using a token of the former key. */
function refreshingTerms(flags: TokenLifetimeFlags): readonly WaitTerm[] {
  const byFraction =
    flags.maxTokenExpirationMs === null
      ? Infinity
      : Math.ceil((flags.maxTokenExpirationMs * KUBELET_REFRESH_PERCENT) / 100);
  const held: WaitTerm =
    byFraction < KUBELET_MAX_AGE_MS
      ? { what: 'kubelet replaces a token at 80 % of --service-account-max-token-expiration', ms: byFraction }
      : { what: 'kubelet replaces a token at the latest at this age', ms: KUBELET_MAX_AGE_MS };
  return [
    held,
    ...KUBELET_DELAYS,
    { what: 'clients read the file again', ms: CLIENT_RELOAD_MS },
    { what: 'clock skew', ms: CLOCK_SKEW_MS },
  ];
}

function sum(terms: readonly WaitTerm[]): number {
  return terms.reduce((total, term) => total + term.ms, 0);
}

function explain(terms: readonly WaitTerm[], totalMs: number): string {
  return `${terms.map((term) => `${formatDuration(term.ms)} (${term.what})`).join(' + ')} = ${formatDuration(totalMs)}`;
}

/**
 * The wait of Draining, counted from the moment in which Verifying ended.
 * Source of the figures: Kubernetes pkg/kubelet/token, pkg/serviceaccount, client-go transport.
 */
export function computeDrain(policy: DrainPolicy, flags: TokenLifetimeFlags): DrainComputation | DrainRefusal {
  if (!isDrainPolicy(policy)) return { refused: SHAPE };
  const refreshing = refreshingTerms(flags);
  const refreshingMs = sum(refreshing);
  switch (policy.policy) {
    case 'refreshing':
      return {
        policy: 'refreshing',
        totalMs: refreshingMs,
        terms: refreshing,
        refreshingMs,
        explanation: explain(refreshing, refreshingMs),
      };
    case 'expiry': {
      const bound = expiryBound(policy.boundMs, flags);
      if ('refused' in bound) return bound;
      const terms = [bound, { what: 'clock skew', ms: CLOCK_SKEW_MS }];
      const totalMs = sum(terms);
      return { policy: 'expiry', totalMs, terms, refreshingMs, explanation: explain(terms, totalMs) };
    }
    case 'fixed': {
      const isShorter = policy.durationMs < refreshingMs;
      if (isShorter && (policy.allowShorter ?? '').trim() === '') {
        return {
          refused:
            `a drain of ${formatDuration(policy.durationMs)} is shorter than the ${formatDuration(refreshingMs)} for which clients that ` +
            'reload may hold a token of the former key; lengthen it, or give drain.allowShorter a reason to accept rejected tokens',
        };
      }
      const terms = [{ what: 'fixed by configuration', ms: policy.durationMs }];
      return {
        policy: 'fixed',
        totalMs: policy.durationMs,
        terms,
        refreshingMs,
        explanation: explain(terms, policy.durationMs),
        ...(isShorter && policy.allowShorter !== undefined ? { override: policy.allowShorter } : {}),
      };
    }
  }
}

/** The longest that any token of the former key can live. */
function expiryBound(explicitMs: number | undefined, flags: TokenLifetimeFlags): WaitTerm | DrainRefusal {
  const candidates: WaitTerm[] = [];
  if (flags.extendTokenExpiration) {
    candidates.push({
      what: 'injected tokens are extended (--service-account-extend-token-expiration)',
      ms: EXTENDED_TOKEN_MS,
    });
  }
  if (flags.maxTokenExpirationMs !== null) {
    candidates.push({ what: '--service-account-max-token-expiration', ms: flags.maxTokenExpirationMs });
  }
  const observed = candidates.reduce<WaitTerm | null>(
    (longest, next) => (longest && longest.ms >= next.ms ? longest : next),
    null,
  );
  if (observed === null) {
    if (explicitMs === undefined) {
      return {
        refused:
          'tokens have no longest life in this cluster (--service-account-max-token-expiration is unset and extension is off); ' +
          'set drain.bound to the longest lifetime that any client asks for',
      };
    }
    return { what: 'bound by configuration, since the cluster sets none', ms: explicitMs };
  }
  if (explicitMs !== undefined && explicitMs > observed.ms) return { what: 'bound by configuration', ms: explicitMs };
  return observed;
}

/** One line for the timeline. */
export function drainSummary({ totalMs }: DrainComputation, former: 'key' | 'issuer' = 'key'): string {
  return `Wait ${formatDuration(totalMs)} until no token of the former ${former} can matter`;
}
