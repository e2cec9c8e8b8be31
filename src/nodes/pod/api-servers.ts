// Which API server is asked: agents are reached through those of other nodes first, since a node's own one may be restarting.
import type { ApiCall } from '../../api-servers/api-call.ts';
import type { KubeClient } from '../../api-servers/kube-client.ts';
import { KeyturnError } from '../../errors.ts';

/** For how long the list of API servers is taken for complete, in ms. */
const LIST_AGE_MS = 60_000;

/** For how long one that did not get there is asked last, in ms. */
const FAILED_MS = 60_000;

export class ApiServers {
  /** For the address in the kubeconfig, which may be a load balancer. */
  readonly client: KubeClient;
  readonly #lookUp: () => Promise<readonly string[]>;
  /** One that is away leaves the cluster's own list; it is remembered all the same. */
  readonly #known = new Map<string, KubeClient>();
  #listedAt = -Infinity;
  /** When one that is asked by its own address last did not get there, by URL. */
  readonly #failedAt = new Map<string, number>();

  /**
   * @param client for the address in the kubeconfig, which may be a load balancer
   * @param lookUp tells the `https://address:port` of every API server
   */
  constructor(client: KubeClient, lookUp: () => Promise<readonly string[]>) {
    this.client = client;
    this.#lookUp = lookUp;
  }

  /** @param own addresses of the node whose API server comes last; one that has just failed comes after the others */
  async for(own: readonly string[]): Promise<readonly KubeClient[]> {
    await this.#refresh();
    const all = [...this.#known.values()];
    const isOwn = ({ url }: KubeClient): boolean => own.includes(hostOf(url));
    const inOrder = [...all.filter((each) => !isOwn(each)), this.client, ...all.filter(isOwn)];
    const hasFailed = ({ url }: KubeClient): boolean => Date.now() - (this.#failedAt.get(url) ?? -Infinity) < FAILED_MS;
    return [...inOrder.filter((each) => !hasFailed(each)), ...inOrder.filter(hasFailed)];
  }

  /** A machine that is off answers nothing at all: each attempt costs seconds. */
  reportFailed(url: string): void {
    this.#failedAt.set(url, Date.now());
  }

  /** `https://address:port` of the API server at one of these addresses. */
  async urlAt(own: readonly string[]): Promise<string | undefined> {
    await this.#refresh();
    return [...this.#known.keys()].find((url) => own.includes(hostOf(url)));
  }

  /** As `KubeClient.call`, at the first that answers. */
  async call(call: ApiCall, expected: readonly number[] = []): ReturnType<KubeClient['call']> {
    let failure: unknown;
    for (const client of [this.client, ...this.#known.values()]) {
      try {
        return await client.call(call, expected);
      } catch (error) {
        if (!(error instanceof KeyturnError) || error.code !== 'API_SERVER_UNREACHABLE') throw error;
        failure ??= error;
      }
    }
    throw failure;
  }

  async #refresh(): Promise<void> {
    if (Date.now() - this.#listedAt < LIST_AGE_MS) return;
    try {
      for (const url of await this.#lookUp()) if (!this.#known.has(url)) this.#known.set(url, this.client.at(url));
      this.#listedAt = Date.now();
    } catch (error) {
      if (!(error instanceof KeyturnError)) throw error;
    }
  }
}

function hostOf(url: string): string {
  return new URL(url).hostname.replaceAll(/^\[|\]$/g, '');
}
