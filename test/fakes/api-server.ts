// API servers that mint tokens with named keys and accept those of the keys they trust, for tests of what asks them. No cryptography.
import type { ApiServer, MintedToken, Readiness, Verdict } from '../../src/api-servers/port.ts';
import { KeyturnError } from '../../src/errors.ts';
import type { KeyRef, Kid, PublicKey } from '../../src/rotation/key.ts';

export class FakeApiServer implements ApiServer {
  readonly node: string;
  readonly url: string;
  signs: Kid;
  trusts: Kid[];
  /** `away` answers at once that it is not there, `hangs` takes its time to say so, `refuses-us` lacks rights. */
  state: 'ready' | 'away' | 'hangs' | 'refuses-us' = 'ready';
  hangMs = 50;
  lifetimeMs = 600_000;
  now: () => number = Date.now;
  readonly minted: MintedToken[] = [];
  /** Audiences and lifetimes that were asked for. */
  readonly asked: { readonly audiences?: readonly string[]; readonly expirationSeconds?: number }[] = [];
  /** Tokens that it is being asked about at this moment, and the most of them at a time. */
  inFlight = 0;
  mostInFlight = 0;
  checks = 0;

  constructor(node: string, kid: Kid = 'former') {
    this.node = node;
    this.url = `https://${node}.test:6443`;
    this.signs = kid;
    this.trusts = [kid];
  }

  async readiness(): Promise<Readiness> {
    return this.state === 'ready'
      ? { ready: true, etcdHealthy: true }
      : { ready: false, etcdHealthy: true, reason: this.state };
  }

  async publishedKeys(): Promise<readonly KeyRef[]> {
    return this.trusts.map((kid) => ({ kid, alg: 'RS256' }));
  }

  async publicKeys(): Promise<readonly PublicKey[]> {
    return this.trusts.map((kid) => ({ kid, alg: 'RS256', publicPem: `public half of ${kid}\n` }));
  }

  async issuer(): Promise<string> {
    return 'https://issuer.test';
  }

  async mintToken(options: { audiences?: readonly string[]; expirationSeconds?: number } = {}): Promise<MintedToken> {
    this.asked.push(options);
    if (this.state === 'refuses-us') throw refusal('API_SERVER_FORBIDDEN', this.node, false);
    if (this.state !== 'ready') throw refusal('API_SERVER_UNREACHABLE', this.node, true);
    const token = {
      token: JSON.stringify({ kid: this.signs, audience: options.audiences?.[0] ?? 'api', number: this.minted.length }),
      kid: this.signs,
      mintedAt: this.now(),
      expiresAt: this.now() + this.lifetimeMs,
    };
    this.minted.push(token);
    return token;
  }

  async reviewToken(token: string, audiences: readonly string[] = ['api']): Promise<Verdict> {
    return this.#judge(token, audiences[0] ?? 'api');
  }

  async useToken(token: string): Promise<Verdict> {
    return this.#judge(token, 'api');
  }

  async startTime(): Promise<number | undefined> {
    return this.state === 'ready' ? 0 : undefined;
  }

  async clockSkewMs(): Promise<number> {
    return 0;
  }

  async #judge(token: string, audience: string): Promise<Verdict> {
    this.checks += 1;
    this.inFlight += 1;
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
    await new Promise((resolve) => setTimeout(resolve, this.state === 'hangs' ? this.hangMs : 0));
    this.inFlight -= 1;
    if (this.state === 'away' || this.state === 'hangs') return { outcome: 'unreachable', reason: this.state };
    const { kid, audience: meant } = JSON.parse(token) as { kid: Kid; audience: string };
    if (meant !== audience) return { outcome: 'rejected', reason: 'another audience' };
    return this.trusts.includes(kid) ? { outcome: 'accepted' } : { outcome: 'rejected', reason: `no key ${kid}` };
  }
}

function refusal(
  code: 'API_SERVER_FORBIDDEN' | 'API_SERVER_UNREACHABLE',
  node: string,
  retryable: boolean,
): KeyturnError {
  return new KeyturnError(code, `${node} refuses`, { subject: node, remedy: 'None', retryable });
}
