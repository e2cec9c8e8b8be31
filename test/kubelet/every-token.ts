// Tokens of every API server, tried at every API server: what a client behind a load balancer does sooner or later.
import { setTimeout } from 'node:timers/promises';
import { expect, vi } from 'vitest';
import { KubeApiServer } from '../../src/api-servers/api-server.ts';
import { KubeClient } from '../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../src/api-servers/kube-config.ts';
import type { MintedToken } from '../../src/api-servers/port.ts';
import type { KubeletBed } from '../../src/demo/kubelet/kubelet-bed.ts';

/** Until kubelet has ended what runs by the former manifest. */
const NOTICE_MS = 5000;

export class EveryToken {
  readonly #bed: KubeletBed;
  /** All that were ever minted; none of them expires within a test. */
  readonly #tokens: MintedToken[] = [];

  constructor(bed: KubeletBed) {
    this.#bed = bed;
  }

  /** A new token of each API server, and all former ones, tried at each. @returns what was not accepted, in words; kids of the new tokens by node */
  async tryAll(): Promise<{ readonly refused: readonly string[]; readonly kids: Readonly<Record<string, string>> }> {
    const client = new KubeClient(await loadKubeConfig(this.#bed.keyturnKubeconfigPath));
    const probe = { namespace: 'keyturn', name: 'keyturn-probe' };
    const servers = this.#bed.nodes.map(
      ({ name, apiServerUrl }) => new KubeApiServer({ node: name, client: client.at(apiServerUrl), probe }),
    );
    // One whose manifest was written anew a moment ago is not asked what it refuses, but when it is back.
    const isReady = async () => {
      const seen = await Promise.all(servers.map((server) => server.readiness()));
      expect(seen.map(({ ready }) => ready)).not.toContain(false);
    };
    await setTimeout(NOTICE_MS);
    await vi.waitFor(isReady, { timeout: 180_000, interval: 1000 });
    const minted = await Promise.all(servers.map((server) => server.mintToken({ expirationSeconds: 3600 })));
    this.#tokens.push(...minted);
    const refused: string[] = [];
    for (const server of servers) {
      for (const { token, kid } of this.#tokens) {
        const verdict = await server.reviewToken(token);
        if (verdict.outcome !== 'accepted') refused.push(`${server.node}: ${kid} ${JSON.stringify(verdict)}`);
      }
    }
    return { refused, kids: Object.fromEntries(servers.map(({ node }, index) => [node, minted[index]!.kid])) };
  }
}
