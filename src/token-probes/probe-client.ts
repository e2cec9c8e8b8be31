// A client as the probes play it: reloads its token as kubelet does, and goes on using former ones for a while, as slow clients do.
import type { ApiServer, MintedToken } from '../api-servers/port.ts';
import { KeyturnError } from '../errors.ts';

/** Tokens this close to their end, in ms, are not tried any more: whoever is asked may have another clock. */
const EXPIRY_MARGIN_MS = 30_000;

/** Former tokens that a client holds beside its present one. */
const MAX_FORMER = 3;

export interface ProbeClientOptions {
  /** Who mints for this client. */
  readonly apiServer: ApiServer;
  /** Default: the API server's own. */
  readonly audience?: string;
  /** Age at which a new token is fetched, in ms; up to a tenth less by jitter. */
  readonly reloadAfterMs: number;
  /** Age at which a former token is given up, in ms. */
  readonly holdMs: number;
  /** Jitter: 0 to 1. */
  readonly random: () => number;
}

export class ProbeClient {
  readonly mintedBy: string;
  readonly #options: ProbeClientOptions;
  #held: readonly MintedToken[] = [];
  #reloadAt = 0;

  constructor(options: ProbeClientOptions) {
    this.#options = options;
    this.mintedBy = options.apiServer.node;
  }

  /**
   * Fetches a new token where that is due. If the API server is away, the tokens that there are serve on, as kubelet does it.
   * @throws errors that will not mend themselves, e.g. API_SERVER_FORBIDDEN
   */
  async reload(nowMs: number): Promise<void> {
    if (nowMs < this.#reloadAt) return;
    const { apiServer, audience, reloadAfterMs, holdMs, random } = this.#options;
    const expirationSeconds = Math.max(600, Math.ceil((holdMs + EXPIRY_MARGIN_MS) / 1000));
    try {
      const token = await apiServer.mintToken({
        expirationSeconds,
        ...(audience === undefined ? {} : { audiences: [audience] }),
      });
      this.#held = retainTokens([token, ...this.#held], nowMs, holdMs);
      this.#reloadAt = nowMs + Math.min(reloadAfterMs, 0.8 * (token.expiresAt - token.mintedAt)) * (1 - random() / 10);
    } catch (error) {
      if (!(error instanceof KeyturnError) || !error.retryable) throw error;
    }
  }

  /** The present token first, then the former ones that are still good. */
  tokens(nowMs: number): readonly MintedToken[] {
    return this.#held.filter(
      (token, index) => isLive(token, nowMs) && (index === 0 || isHeld(token, nowMs, this.#options.holdMs)),
    );
  }
}

/**
 * The present token and up to three former ones. The newest of each former key goes before others: it is the one that a change of keys endangers, and
 * it cannot be minted again.
 *
 * @param tokens newest first
 */
export function retainTokens(tokens: readonly MintedToken[], nowMs: number, holdMs: number): readonly MintedToken[] {
  const [present, ...former] = tokens;
  if (present === undefined) return [];
  const live = former.filter((token) => isLive(token, nowMs) && isHeld(token, nowMs, holdMs));
  const newestOfItsKey = live.filter(
    (token) => token.kid !== present.kid && live.find(({ kid }) => kid === token.kid) === token,
  );
  const others = live.filter((token) => !newestOfItsKey.includes(token));
  const kept = new Set([...newestOfItsKey, ...others].slice(0, MAX_FORMER));
  return [present, ...live.filter((token) => kept.has(token))];
}

function isLive(token: MintedToken, nowMs: number): boolean {
  return token.expiresAt - nowMs > EXPIRY_MARGIN_MS;
}

function isHeld(token: MintedToken, nowMs: number, holdMs: number): boolean {
  return nowMs - token.mintedAt <= holdMs;
}
