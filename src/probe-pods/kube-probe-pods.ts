// Probe pods by the Kubernetes API.
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyturnError } from '../errors.ts';
import type { KubeClient } from '../api-servers/kube-client.ts';
import { missingRules } from '../api-servers/permissions.ts';
import type { CommandResult, PodCommand } from '../api-servers/pod-exec.ts';
import type { StepControl } from '../platforms/port.ts';
import type { Problem } from '../rotation/observation.ts';
import type { ProbePodPlan } from '../rotation/probe-pod-plan.ts';
import { CONTAINER, podName, podObject, tokenFileOf, type ProbePodOptions } from './objects.ts';
import { podState, rotationOf, type Pod } from './pod-state.ts';
import { parsePodToken } from './pod-token.ts';
import type { PodToken, ProbePod, ProbePodLeftover, ProbePodRole, ProbePods } from './port.ts';
import { stillThere, unreadable, unready } from './refusals.ts';
import { neededRights, RIGHTS_MANIFEST } from './rights.ts';
import { ProbePodStore } from './store.ts';

export interface KubeProbePodsOptions extends ProbePodOptions {
  readonly client: KubeClient;
  readonly exec: (command: PodCommand) => Promise<Omit<CommandResult, 'output'>>;
  readonly awaitRefresh: boolean;
  /** For a pod from its making to running, ms. Default 5 min: an image is pulled. */
  readonly startTimeoutMs?: number;
  /** For a token to be read, ms. Default 3 min: kubelet cannot be asked while the API server of its node restarts, 30 to 50 s. */
  readonly readTimeoutMs?: number;
  /** For a pod to end by itself, ms. Default 1 min. */
  readonly endTimeoutMs?: number;
}

const POLL_MS = 500;
const EXEC_TIMEOUT_MS = 15_000;

export class KubeProbePods implements ProbePods {
  readonly plan: ProbePodPlan;
  readonly namespace: string;
  readonly audience: string;
  readonly #options: KubeProbePodsOptions;
  readonly #store: ProbePodStore;

  constructor(options: KubeProbePodsOptions) {
    const { tokenLifetimeMs, awaitRefresh, namespace, audience } = options;
    this.plan = { tokenLifetimeMs, awaitRefresh };
    this.namespace = namespace;
    this.audience = audience;
    this.#options = options;
    this.#store = new ProbePodStore(options.client, options);
  }

  missingPermissions(): Promise<readonly Problem[]> {
    return missingRules(this.#options.client, neededRights(this.namespace), RIGHTS_MANIFEST);
  }

  async start(rotationId: string, role: ProbePodRole, control: StepControl): Promise<ProbePod> {
    const foreign = (await this.#store.pods()).filter((pod) => rotationOf(pod) !== rotationId);
    await this.#end(foreign, control);
    const name = podName(rotationId, role);
    const { startTimeoutMs = 300_000 } = this.#options;
    let made = false;
    let why = '';
    const beganAt = Date.now();
    while (Date.now() - beganAt < startTimeoutMs) {
      const pod = await this.#store.pod(name);
      if (pod === null) {
        await this.#store.createPod(podObject(this.#options, rotationId, role), rotationId);
        made = true;
        continue;
      }
      const state = podState(pod);
      if (state.state === 'running') return this.#describe(pod);
      why = state.why;
      if (state.state === 'over') {
        if (made) break;
        await this.#end([pod], control);
        continue;
      }
      control.report(`waiting for the probe pod ${this.namespace}/${name}: ${why}`);
      await sleep(POLL_MS, undefined, { signal: control.signal });
    }
    throw unready(`${this.namespace}/${name}`, why, Date.now() - beganAt);
  }

  async find(rotationId: string, role: ProbePodRole): Promise<ProbePod | null> {
    const pod = await this.#store.pod(podName(rotationId, role));
    return pod === null || podState(pod).state === 'over' ? null : this.#describe(pod);
  }

  async readToken({ name }: ProbePod, control: StepControl): Promise<PodToken> {
    const file = tokenFileOf(this.#options);
    let why = '';
    for (const deadline = Date.now() + (this.#options.readTimeoutMs ?? 180_000); Date.now() < deadline;) {
      const read = await this.#read(name, file);
      if (typeof read !== 'string') return read;
      why = read;
      control.report(`reading the token of the probe pod ${this.namespace}/${name}: ${why}`);
      await sleep(POLL_MS, undefined, { signal: control.signal });
    }
    throw unreadable(`${this.namespace}/${name}`, file, why);
  }

  async remove(rotationId: string, role: ProbePodRole, control: StepControl): Promise<void> {
    const pod = await this.#store.pod(podName(rotationId, role));
    if (pod !== null) await this.#end([pod], control);
  }

  async removeAll(control: StepControl): Promise<number> {
    const pods = await this.#store.pods();
    await this.#end(pods, control);
    return pods.length + (await this.#store.deleteSurroundings(control));
  }

  async leftovers(): Promise<readonly ProbePodLeftover[]> {
    const pods = await this.#store.pods();
    return [...pods.map((pod) => leftoverOf('pod', pod)), ...(await this.#store.surroundings())];
  }

  #describe({ metadata, spec }: Pod): ProbePod {
    const { name, uid, creationTimestamp } = metadata;
    const node = spec.nodeName ?? 'no node';
    const description = `pod ${this.namespace}/${name} on ${node}`;
    return { name, description, uid, node, createdAt: creationTimestamp };
  }

  /** The token; or in words why it could not be read this time. */
  async #read(name: string, file: string): Promise<PodToken | string> {
    try {
      const { exitCode, stdout, stderr } = await this.#options.exec({
        namespace: this.namespace,
        pod: name,
        container: CONTAINER,
        command: ['cat', file],
        timeoutMs: EXEC_TIMEOUT_MS,
      });
      if (exitCode !== 0) return `cat ended with ${exitCode}: ${stderr.trim().slice(0, 200)}`;
      return parsePodToken(stdout) ?? 'the file holds no token that names its key and its lifetime';
    } catch (error) {
      if (error instanceof KeyturnError && error.retryable) return error.message;
      throw error;
    }
  }

  /** Deletes pods and waits until they are gone. One whose node does not answer is forgotten after a while: it has nothing that could be lost. */
  async #end(pods: readonly Pod[], control: StepControl): Promise<void> {
    let left = pods.map(({ metadata }) => metadata.name);
    for (const name of left) await this.#store.deletePod(name);
    const { endTimeoutMs = 60_000 } = this.#options;
    const forceAt = Date.now() + endTimeoutMs;
    for (const giveUpAt = forceAt + endTimeoutMs; ; await sleep(POLL_MS, undefined, { signal: control.signal })) {
      const present = new Set((await this.#store.pods()).map(({ metadata }) => metadata.uid));
      left = pods.filter(({ metadata }) => present.has(metadata.uid)).map(({ metadata }) => metadata.name);
      if (left.length === 0) return;
      if (Date.now() > giveUpAt) throw stillThere(left.map((name) => `pod ${this.namespace}/${name}`));
      if (Date.now() > forceAt) for (const name of left) await this.#store.deletePod(name, 0);
      control.report(`waiting for the end of ${left.join(', ')}`);
    }
  }
}

function leftoverOf(kind: string, { metadata }: Pod): ProbePodLeftover {
  return {
    object: `${kind}/${metadata.name}`,
    rotationId: rotationOf({ metadata }),
    createdAt: metadata.creationTimestamp,
  };
}
