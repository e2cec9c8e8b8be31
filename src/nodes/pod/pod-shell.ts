// A shell on a node in the node's agent pod, by exec through whichever API server gets there.
import type { KubeConfig } from '@kubernetes/client-node';
import { kubeConfigFor } from '../../api-servers/kube-config.ts';
import type { KubeClient } from '../../api-servers/kube-client.ts';
import { execInPod } from '../../api-servers/pod-exec.ts';
import { reasonOf } from '../../api-servers/refusal.ts';
import { KeyturnError } from '../../errors.ts';
import type { NodeShell, ShellAnswer } from '../shell/node-shell.ts';
import { unreachable } from './agent-errors.ts';
import { AGENT_CONTAINER } from './agent-manifest.ts';
import type { Agent, AgentPods } from './agent-pods.ts';
import type { ApiServers } from './api-servers.ts';

export interface PodShellOptions {
  readonly node: string;
  readonly agents: AgentPods;
  readonly apiServers: ApiServers;
  /** Credentials; the address in it is replaced. */
  readonly kubeConfig: KubeConfig;
  /** For one script from connection to exit, in ms. Default 60 000. */
  readonly timeoutMs?: number;
}

export class PodShell implements NodeShell {
  readonly node: string;
  readonly #options: PodShellOptions;

  constructor(options: PodShellOptions) {
    this.node = options.node;
    this.#options = options;
  }

  /** What did not begin is tried again: through another API server, and in an agent that has been looked at, or made anew. */
  async run(script: string, args: readonly string[], stdin?: Buffer): Promise<ShellAnswer> {
    const reasons: string[] = [];
    const first = await this.#agent();
    const answer = await this.#tryEach(first, script, args, stdin, reasons);
    if (answer !== undefined) return answer;
    this.#options.agents.reportLost(this.node);
    const last = await this.#tryEach(await this.#agent(), script, args, stdin, reasons);
    if (last !== undefined) return last;
    throw unreachable(this.node, reasons);
  }

  async #agent(): Promise<Agent> {
    try {
      return await this.#options.agents.agentOf(this.node);
    } catch (error) {
      if (!(error instanceof KeyturnError) || error.code !== 'API_SERVER_UNREACHABLE') throw error;
      throw unreachable(this.node, [error.message]);
    }
  }

  /** undefined where no API server came to begin it. */
  async #tryEach(
    { name, addresses }: Agent,
    script: string,
    args: readonly string[],
    stdin: Buffer | undefined,
    reasons: string[],
  ): Promise<ShellAnswer | undefined> {
    const { kubeConfig, apiServers, agents, timeoutMs = 60_000 } = this.#options;
    for (const client of await apiServers.for(addresses)) {
      try {
        const { exitCode, output, stderr } = await execInPod(kubeConfigFor(kubeConfig, client.url), {
          namespace: agents.settings.namespace,
          pod: name,
          container: AGENT_CONTAINER,
          command: ['sh', '-c', script, 'keyturn', ...args],
          ...(stdin === undefined ? {} : { stdin }),
          timeoutMs,
        });
        return { exitCode, stdout: output, stderr };
      } catch (error) {
        if (!(error instanceof KeyturnError) || error.code === 'CONFIG_INVALID') throw error;
        // One that has just started forbids everything to everybody for a moment.
        if (error.code === 'API_SERVER_FORBIDDEN' && (await isReady(client))) throw error;
        reasons.push(`${client.url}: ${reasonOf(error)}`);
        if (error.details['begun'] === true) throw unreachable(this.node, reasons);
      }
    }
    return undefined;
  }
}

async function isReady(client: KubeClient): Promise<boolean> {
  return client.read('/readyz').then(
    () => true,
    () => false,
  );
}
