// A client as kubelet makes them: it uses a token for a while, then another; and slow ones, that go on with what they have.
import type { ApiServer, MintedToken } from '../api-servers/port.ts';

/** Longer than any reload interval, so that a token of the former key can be tried long after the last one was minted. */
const TOKEN_LIFETIME_SECONDS = 3600;
/** A token is not tried in its last minute: clocks may differ by that. */
const EXPIRY_MARGIN_MS = 60_000;
/** Former tokens of the same key that slow clients still hold. */
const SLOW_CLIENTS = 2;

export interface HeldToken extends MintedToken {
  readonly mintedBy: string;
}

export class ProbeClient {
  private readonly apiServer: ApiServer;
  private readonly audiences: readonly string[] | undefined;
  /** Newest first. */
  private tokens: readonly HeldToken[] = [];

  /** @param audience null for the API server's own */
  constructor(apiServer: ApiServer, audience: string | null) {
    this.apiServer = apiServer;
    this.audiences = audience === null ? undefined : [audience];
  }

  /** Replaces the token where it is older than that. An API server that is away keeps the client at its former token, as with kubelet. */
  async reload(reloadAfterMs: number, nowMs: number): Promise<void> {
    const [newest] = this.tokens;
    if (newest !== undefined && nowMs - newest.mintedAt < reloadAfterMs) return;
    const options = {
      expirationSeconds: TOKEN_LIFETIME_SECONDS,
      ...(this.audiences ? { audiences: this.audiences } : {}),
    };
    const minted = await this.apiServer.mintToken(options).catch(() => null);
    if (minted === null) return;
    const held: HeldToken = { ...minted, mintedBy: this.apiServer.node };
    const sameKid = this.tokens.filter(({ kid }) => kid === held.kid).slice(0, SLOW_CLIENTS);
    const otherKids = this.tokens.filter(
      ({ kid }, index, all) => kid !== held.kid && all.findIndex((token) => token.kid === kid) === index,
    );
    this.tokens = [held, ...sameKid, ...otherKids];
  }

  valid(nowMs: number): readonly HeldToken[] {
    return this.tokens.filter(({ expiresAt }) => expiresAt - EXPIRY_MARGIN_MS > nowMs);
  }
}
