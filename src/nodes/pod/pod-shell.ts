// A shell on a node in the node's agent pod, by exec through whichever API server gets there.
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeConfig } from '@kubernetes/client-node';
import { kubeConfigFor } from '../../api-servers/kube-config.ts';
import { execInPod } from '../../api-servers/pod-exec.ts';
import type { CommandResult } from '../../api-servers/pod-exec.ts';
import { reasonOf } from '../../api-servers/refusal.ts';
import { KeyturnError } from '../../errors.ts';
import type { NodeShell, ShellAnswer } from '../shell/node-shell.ts';
import { unreachable } from './agent-errors.ts';
import { AGENT_CONTAINER } from './agent-manifest.ts';
import { AGENT_RIGHTS_MANIFEST } from './agent-rights.ts';
import type { Agent, AgentPods } from './agent-pods.ts';
import type { ApiServers } from './api-servers.ts';

/** An API server that has just started forbids everything to everybody for some tenths of a second. */
const STARTING_MS = 1000;

export interface PodShellOptions {
  readonly node: string;
  readonly agents: AgentPods;
  readonly apiServers: ApiServers;
  /** Credentials; the address in it is replaced. */
  readonly kubeConfig: KubeConfig;
  /** For one script from connection to exit, in ms. Default 60 000. */
  readonly timeoutMs?: number;
}

/** Why one API server did not come to begin a command. */
interface Failure {
  readonly url: string;
  readonly error: KeyturnError;
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
    const command = ['sh', '-c', script, 'keyturn', ...args];
    const first = await this.#tryEach(command, stdin);
    if (!isFailure(first)) return { ...first, stdout: first.output };
    this.#options.agents.reportLost(this.node);
    if (first.some(isForbidden)) await sleep(STARTING_MS);
    const second = await this.#tryEach(command, stdin);
    if (!isFailure(second)) return { ...second, stdout: second.output };
    const [refusal] = second;
    if (refusal !== undefined && second.every(isForbidden)) throw refusal.error;
    throw unreachable(this.node, [...first, ...second].map(told));
  }

  async #tryEach(command: readonly string[], stdin: Buffer | undefined): Promise<CommandResult | readonly Failure[]> {
    const { kubeConfig, apiServers, agents, timeoutMs = 60_000 } = this.#options;
    const { name: pod, addresses } = await this.#agent();
    const { namespace } = agents.settings;
    const grantedBy = AGENT_RIGHTS_MANIFEST;
    const run = { namespace, pod, container: AGENT_CONTAINER, command, timeoutMs, grantedBy };
    const failures: Failure[] = [];
    for (const { url } of await apiServers.for(addresses)) {
      try {
        return await execInPod(kubeConfigFor(kubeConfig, url), stdin === undefined ? run : { ...run, stdin });
      } catch (error) {
        if (!(error instanceof KeyturnError) || error.code === 'CONFIG_INVALID') throw error;
        apiServers.reportFailed(url);
        if (error.details['begun'] === true) throw unreachable(this.node, [told({ url, error })]);
        failures.push({ url, error });
      }
    }
    return failures;
  }

  async #agent(): Promise<Agent> {
    try {
      return await this.#options.agents.agentOf(this.node);
    } catch (error) {
      if (!(error instanceof KeyturnError) || error.code !== 'API_SERVER_UNREACHABLE') throw error;
      throw unreachable(this.node, [error.message]);
    }
  }
}

function isFailure(result: CommandResult | readonly Failure[]): result is readonly Failure[] {
  return Array.isArray(result);
}

function isForbidden({ error }: Failure): boolean {
  return error.code === 'API_SERVER_FORBIDDEN';
}

function told({ url, error }: Failure): string {
  return `${url}: ${reasonOf(error)}`;
}
