// How long kubelet may leave a projected token in place before a new one is in the pod's file.
import { formatDuration, HOUR_MS } from './duration.ts';

/** One summand of a wait. */
export interface WaitTerm {
  readonly what: string;
  readonly ms: number;
}

/** Kubelet replaces a projected token at the latest at this age (pkg/kubelet/token maxTTL). */
export const KUBELET_MAX_AGE_MS = 24 * HOUR_MS;
/** ... or at this part of its lifetime, whichever is first. */
export const KUBELET_REFRESH_PERCENT = 80;

/** What comes on top of the age at which kubelet replaces a token. */
export const KUBELET_DELAYS: readonly WaitTerm[] = [
  // maxJitter of kubelet's token manager
  { what: 'kubelet jitter', ms: 10_000 },
  // Kubelet's pod sync writes the file about a minute later, with its own jitter of half.
  { what: 'kubelet sync until the file is written', ms: 90_000 },
];

/** Counted from the token's `iat`, ms. */
export interface RefreshWait {
  readonly ms: number;
  /** The arithmetic as one sentence. */
  readonly explanation: string;
}

/** @param lifetimeMs from the token's `iat` to its `exp`, or as asked for */
export function refreshWait(lifetimeMs: number): RefreshWait {
  const byFractionMs = Math.ceil((lifetimeMs * KUBELET_REFRESH_PERCENT) / 100);
  const replaced: WaitTerm =
    byFractionMs < KUBELET_MAX_AGE_MS
      ? { what: `kubelet replaces a token at 80 % of its ${formatDuration(lifetimeMs)}`, ms: byFractionMs }
      : { what: 'kubelet replaces a token at the latest at this age', ms: KUBELET_MAX_AGE_MS };
  const terms = [replaced, ...KUBELET_DELAYS];
  const ms = terms.reduce((total, term) => total + term.ms, 0);
  const sum = terms.map((term) => `${formatDuration(term.ms)} (${term.what})`).join(' + ');
  return { ms, explanation: `${sum} = ${formatDuration(ms)}, counted from when the pod's token was minted` };
}
