// The life of agent pods: made when a node is first needed, replaced where they are no longer of use, removed when a part is over.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { jsonOf } from '../../api-servers/answer-json.ts';
import { missingRules } from '../../api-servers/permissions.ts';
import type { Problem } from '../../rotation/observation.ts';
import type { NodeAgents, PresentAgent } from '../port.ts';
import * as errors from './agent-errors.ts';
import { AGENT_RIGHTS_MANIFEST, agentRights } from './agent-rights.ts';
import { agentName, agentPod, SPEC_ANNOTATION, specHash } from './agent-manifest.ts';
import type { AgentSettings } from './agent-manifest.ts';
import { judgePod, podSchema, type Pod } from './agent-state.ts';
import type { ApiServers } from './api-servers.ts';
import { findControlPlaneNode } from './control-plane-node.ts';
import { deletePod, listAgents, podCall } from './pod-calls.ts';

const POLL_MS = 300;

interface ApiAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** Where a node's agent runs. */
export interface Agent {
  readonly name: string;
  /** Of its node. */
  readonly addresses: readonly string[];
}

export interface AgentPodsOptions {
  readonly settings: AgentSettings;
  readonly apiServers: ApiServers;
  /** Refuse nodes without the label of a control-plane node. Default true. */
  readonly requireControlPlaneLabel?: boolean;
  /** How long an agent may take to start, its image's download included, in ms. Default 90 000. */
  readonly startTimeoutMs?: number;
  /**
   * How long a refusal to make one is doubted, in ms: a namespace that was made a moment ago has no ServiceAccount yet, and an API server that
   * has just started knows no rights. Default 10 000.
   */
  readonly doubtRefusalMs?: number;
  /** Agents that were not used for that long are removed, in ms: nobody waits for a person with agents on every node. Default: never. */
  readonly idleMs?: number;
}

export class AgentPods implements NodeAgents {
  readonly settings: AgentSettings;
  readonly #options: AgentPodsOptions;
  readonly #apiServers: ApiServers;
  readonly #agents = new Map<string, Promise<Agent>>();
  /** So that agents of those who only look are nobody else's, and end with them. */
  readonly #suffix: string;
  #purpose = 'observation';
  #idle: NodeJS.Timeout | undefined;

  constructor(options: AgentPodsOptions) {
    this.settings = options.settings;
    this.#options = options;
    this.#apiServers = options.apiServers;
    this.#suffix = options.settings.access === 'read-only' ? randomBytes(4).toString('hex') : '';
  }

  missingPermissions(): Promise<readonly Problem[]> {
    return missingRules(this.#apiServers.client, agentRights(this.settings.namespace), AGENT_RIGHTS_MANIFEST);
  }

  workFor(purpose: string): void {
    this.#purpose = purpose;
  }

  /**
   * The agent of a node, running; the same one as long as nobody reports it lost.
   * @throws NODE_UNREACHABLE NODE_COMMAND_MISSING CONFIG_INVALID API_SERVER_UNREACHABLE API_SERVER_FORBIDDEN
   */
  async agentOf(node: string): Promise<Agent> {
    this.#postponeIdleEnd();
    const known = this.#agents.get(node);
    if (known !== undefined) return known;
    const made = this.#make(node);
    this.#agents.set(node, made);
    // What failed is tried anew next time.
    made.catch(() => this.#agents.delete(node));
    return made;
  }

  /** What is there is looked at again before it is used. */
  reportLost(node: string): void {
    this.#agents.delete(node);
  }

  async release(): Promise<readonly string[]> {
    clearTimeout(this.#idle);
    await Promise.allSettled(this.#agents.values());
    this.#agents.clear();
    const { namespace } = this.settings;
    const isOurs = (name: string, node: string): boolean => name === agentName(this.settings, node, this.#suffix);
    const ours = (await this.present()).filter(({ name, node }) => this.#suffix === '' || isOurs(name, node));
    for (const { name } of ours) await deletePod(this.#apiServers, namespace, name);
    return ours.map(({ name }) => name);
  }

  present(): Promise<readonly PresentAgent[]> {
    return listAgents(this.#apiServers, this.settings.namespace, this.settings.cluster);
  }

  async #make(node: string): Promise<Agent> {
    const { requireControlPlaneLabel = true, startTimeoutMs = 90_000, doubtRefusalMs = 10_000 } = this.#options;
    const doubtUntil = Date.now() + Math.min(doubtRefusalMs, startTimeoutMs / 2);
    const { addresses } = await findControlPlaneNode(this.#apiServers, node, requireControlPlaneLabel);
    const name = agentName(this.settings, node, this.#suffix);
    let lack = 'kubelet has not told of it yet';
    for (const giveUpAt = Date.now() + startTimeoutMs; Date.now() < giveUpAt; await sleep(POLL_MS)) {
      const pod = await this.#get(name);
      if (pod === undefined) {
        const answer = await this.#create(node, name);
        if (answer.status !== 403 || Date.now() >= doubtUntil) errors.refuseUncreated(this.settings, node, answer);
        continue;
      }
      const verdict = this.#isCurrent(pod, node) ? judgePod(pod, Date.now()) : { state: 'spent' as const };
      if (verdict.state === 'runs') return { name, addresses };
      if (verdict.state === 'broken') throw errors.cannotStart(this.settings, node, name, verdict);
      if (verdict.state === 'starts') lack = verdict.lack;
      if (verdict.state === 'ends') lack = 'its predecessor has not ended yet: does kubelet run?';
      if (verdict.state === 'spent') await deletePod(this.#apiServers, this.settings.namespace, name);
    }
    throw errors.notStarted(this.settings, node, name, lack, startTimeoutMs);
  }

  #isCurrent(pod: Pod, node: string): boolean {
    return pod.metadata.annotations?.[SPEC_ANNOTATION] === specHash(this.settings, node);
  }

  async #get(name: string): Promise<Pod | undefined> {
    const call = podCall('get', this.settings.namespace, name);
    const { status, body } = await this.#apiServers.call(call, [404]);
    return status === 404 ? undefined : jsonOf(podSchema, body, `get pods ${name}`);
  }

  async #create(node: string, name: string): Promise<ApiAnswer> {
    const { namespace } = this.settings;
    const createdAt = new Date().toISOString();
    const pod = agentPod(this.settings, { node, name, purpose: this.#purpose, createdAt });
    const call = (body: unknown) => this.#apiServers.call({ ...podCall('create', namespace), body }, [403, 404, 409]);
    const first = await call(pod);
    if (first.status !== 403) return first;
    // A quota or a policy may keep that priority from other namespaces than kube-system; an agent can do without it.
    const { priorityClassName: _, ...spec } = pod.spec;
    return call({ ...pod, spec });
  }

  #postponeIdleEnd(): void {
    const { idleMs } = this.#options;
    clearTimeout(this.#idle);
    if (idleMs === undefined) return;
    // What cannot be removed now is removed by the next part of the rotation, or found by doctor.
    this.#idle = setTimeout(() => void this.release().catch(() => undefined), idleMs).unref();
  }
}
