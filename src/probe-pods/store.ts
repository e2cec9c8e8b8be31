// Requests for the objects of probe pods: pods, their ServiceAccount, and their namespace where it was not there.
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { jsonOf } from '../api-servers/answer-json.ts';
import type { ApiCall, Verb } from '../api-servers/api-call.ts';
import type { KubeClient } from '../api-servers/kube-client.ts';
import type { StepControl } from '../platforms/port.ts';
import {
  namespaceObject,
  probePodLabels,
  SERVICE_ACCOUNT,
  serviceAccountObject,
  type ProbePodOptions,
} from './objects.ts';
import { podSchema, rotationOf, type Pod } from './pod-state.ts';
import type { ProbePodLeftover } from './port.ts';
import { notAllowed, stillThere } from './refusals.ts';

/** The controller manager empties a namespace before it removes it. */
const NAMESPACE_TIMEOUT_MS = 120_000;
const POLL_MS = 500;

const podList = z.object({ items: z.array(podSchema).nullable() });
const ownedObject = z.object({
  metadata: z.object({
    name: z.string(),
    creationTimestamp: z.string(),
    labels: z.record(z.string(), z.string()).optional(),
  }),
});

export class ProbePodStore {
  readonly #client: KubeClient;
  readonly #options: ProbePodOptions;
  readonly #serviceAccount: { readonly path: string; readonly resource: string; readonly object: string };
  readonly #namespace: { readonly path: string; readonly resource: string; readonly object: string };

  constructor(client: KubeClient, options: ProbePodOptions) {
    const { namespace } = options;
    this.#client = client;
    this.#options = options;
    const path = `/api/v1/namespaces/${namespace}`;
    this.#namespace = { path, resource: 'namespaces', object: namespace };
    this.#serviceAccount = {
      path: `${path}/serviceaccounts/${SERVICE_ACCOUNT}`,
      resource: 'serviceaccounts',
      object: `${namespace}/${SERVICE_ACCOUNT}`,
    };
  }

  /** All of ours; none where there is no such namespace. */
  async pods(): Promise<readonly Pod[]> {
    const labelSelector = Object.entries(probePodLabels)
      .map(([label, value]) => `${label}=${value}`)
      .join(',');
    const { body } = await this.#client.call({ ...this.#podCall('list'), query: { labelSelector } });
    return jsonOf(podList, body, 'list pods').items ?? [];
  }

  async pod(name: string): Promise<Pod | null> {
    const { status, body } = await this.#client.call(this.#podCall('get', name), [404]);
    return status === 404 ? null : jsonOf(podSchema, body, 'get pods');
  }

  /** With its ServiceAccount, and its namespace where there is none. One that is there already is left as it is. */
  async createPod(pod: object, rotationId: string): Promise<void> {
    if ((await this.#createServiceAccount(rotationId)) === 404) {
      await this.#create(`namespace ${this.#options.namespace}`, {
        verb: 'create',
        path: '/api/v1/namespaces',
        resource: 'namespaces',
        object: this.#options.namespace,
        body: namespaceObject(this.#options, rotationId),
      });
      await this.#createServiceAccount(rotationId);
    }
    await this.#create(`probe pod in namespace ${this.#options.namespace}`, { ...this.#podCall('create'), body: pod });
  }

  /** @param graceSeconds default: the pod's own */
  async deletePod(name: string, graceSeconds?: number): Promise<void> {
    const query = graceSeconds === undefined ? {} : { query: { gracePeriodSeconds: String(graceSeconds) } };
    await this.#client.call({ ...this.#podCall('delete', name), ...query }, [404]);
  }

  /** ServiceAccount and namespace, where they are ours. */
  async surroundings(): Promise<readonly ProbePodLeftover[]> {
    const found: ProbePodLeftover[] = [];
    for (const [kind, call] of [
      ['serviceaccount', this.#serviceAccount],
      ['namespace', this.#namespace],
    ] as const) {
      const { status, body } = await this.#client.call({ verb: 'get', ...call }, [404]);
      if (status === 404) continue;
      const { metadata } = jsonOf(ownedObject, body, `get ${call.resource}`);
      const ours = Object.entries(probePodLabels).every(([label, value]) => metadata.labels?.[label] === value);
      if (!ours) continue;
      const { name, creationTimestamp: createdAt } = metadata;
      found.push({ object: `${kind}/${name}`, rotationId: rotationOf({ metadata }), createdAt });
    }
    return found;
  }

  /** @returns how many there were @throws EFFECT_MISSING (retryable) where the namespace does not go away in time */
  async deleteSurroundings({ report, signal }: StepControl): Promise<number> {
    const ours = await this.surroundings();
    const has = (kind: string) => ours.some(({ object }) => object.startsWith(`${kind}/`));
    if (has('serviceaccount')) await this.#client.call({ verb: 'delete', ...this.#serviceAccount }, [404]);
    if (!has('namespace')) return ours.length;
    await this.#client.call({ verb: 'delete', ...this.#namespace }, [404, 409]);
    for (const giveUpAt = Date.now() + NAMESPACE_TIMEOUT_MS; ; await sleep(POLL_MS, undefined, { signal })) {
      const { status } = await this.#client.call({ verb: 'get', ...this.#namespace }, [404]);
      if (status === 404) return ours.length;
      if (Date.now() > giveUpAt) throw stillThere([`namespace ${this.#options.namespace}`]);
      report(`waiting for the end of namespace ${this.#options.namespace}`);
    }
  }

  #createServiceAccount(rotationId: string): Promise<number> {
    const { path, resource, object } = this.#serviceAccount;
    const body = serviceAccountObject(this.#options, rotationId);
    const call: ApiCall = { verb: 'create', path: path.slice(0, path.lastIndexOf('/')), resource, object, body };
    return this.#create(`ServiceAccount ${object}`, call, [404, 409]);
  }

  async #create(what: string, call: ApiCall, expected: readonly number[] = [409]): Promise<number> {
    try {
      return (await this.#client.call(call, expected)).status;
    } catch (error) {
      throw notAllowed(error, what);
    }
  }

  #podCall(verb: Verb, name?: string): ApiCall {
    const { namespace } = this.#options;
    return {
      verb,
      path: `/api/v1/namespaces/${namespace}/pods${name === undefined ? '' : `/${name}`}`,
      resource: 'pods',
      object: name === undefined ? `in namespace ${namespace}` : `${namespace}/${name}`,
    };
  }
}
