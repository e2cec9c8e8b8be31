// Consumers of legacy tokens in a rotation: each goes on using what it has, at every API server, and counts what is refused.
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeApiServer } from '../../src/api-servers/api-server.ts';
import type { KubeClient } from '../../src/api-servers/kube-client.ts';
import type { ControlPlane } from '../../src/demo/control-plane/control-plane.ts';

export interface Consumer {
  readonly accepted: number;
  readonly rejected: readonly string[];
  /** Uses another token from now on. */
  move(token: () => Promise<string>): void;
  stop(): Promise<void>;
}

/** @param token what the consumer has: read anew for each use, as a mounted file is */
export function startConsumer(
  admin: KubeClient,
  { nodes }: Pick<ControlPlane, 'nodes'>,
  token: () => Promise<string>,
): Consumer {
  const probe = { namespace: 'keyturn', name: 'keyturn-probe' };
  const apiServers = nodes.map(
    ({ name, apiServerUrl }) => new KubeApiServer({ node: name, client: admin.at(apiServerUrl), probe }),
  );
  const rejected: string[] = [];
  const stopping = new AbortController();
  let accepted = 0;
  let read = token;
  const use = async () => {
    const current = await read();
    for (const apiServer of apiServers) {
      const verdict = await apiServer.useToken(current);
      if (verdict.outcome === 'accepted') accepted += 1;
      if (verdict.outcome === 'rejected') rejected.push(`${apiServer.node}: ${verdict.reason}`);
    }
  };
  const running = (async () => {
    while (!stopping.signal.aborted) {
      // The Secret cannot be read while the API server that is asked restarts.
      await use().catch(() => undefined);
      await sleep(100, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  })();
  return {
    get accepted() {
      return accepted;
    },
    rejected,
    move(next) {
      read = next;
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
