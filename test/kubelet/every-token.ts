// Tokens of every API server, tried at every API server: what a client behind a load balancer does sooner or later.
import { vi } from 'vitest';
import { KubeApiServer } from '../../src/api-servers/api-server.ts';
import { KubeClient } from '../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../src/api-servers/kube-config.ts';
import type { MintedToken } from '../../src/api-servers/port.ts';
import type { KubeletBed } from '../../src/demo/kubelet/kubelet-bed.ts';

export interface TriedTokens {
  /** What was not accepted, in words. */
  readonly refused: readonly string[];
  /** Of the tokens that were made for this, by node. */
  readonly kids: Readonly<Record<string, string>>;
}

export class EveryToken {
  readonly #bed: KubeletBed;
  /** All that were ever minted; none of them expires within a test. */
  readonly #tokens: MintedToken[] = [];

  constructor(bed: KubeletBed) {
    this.#bed = bed;
  }

  /** A new token of each API server, and all former ones, tried at each; again, where one of them was away. */
  tryAll(): Promise<TriedTokens> {
    return vi.waitFor(() => this.#tryOnce(), { timeout: 180_000, interval: 1000 });
  }

  async #tryOnce(): Promise<TriedTokens> {
    const client = new KubeClient(await loadKubeConfig(this.#bed.keyturnKubeconfigPath));
    const probe = { namespace: 'keyturn', name: 'keyturn-probe' };
    const servers = this.#bed.nodes.map(
      ({ name, apiServerUrl }) => new KubeApiServer({ node: name, client: client.at(apiServerUrl), probe }),
    );
    const minted = await Promise.all(servers.map((server) => server.mintToken({ expirationSeconds: 3600 })));
    this.#tokens.push(...minted);
    const refused: string[] = [];
    for (const server of servers) {
      for (const { token, kid } of this.#tokens) {
        const verdict = await server.reviewToken(token);
        if (verdict.outcome === 'unreachable') throw new Error(`${server.node}: ${verdict.reason}`);
        if (verdict.outcome === 'rejected') refused.push(`${server.node}: ${kid} ${verdict.reason}`);
      }
    }
    return { refused, kids: Object.fromEntries(servers.map(({ node }, index) => [node, minted[index]!.kid])) };
  }
}
