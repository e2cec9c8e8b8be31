// Records how long each restart of an API server took, until it says itself that it is ready.
import { waitForHttps } from '../https-probe.ts';
import type { PodEvent } from './pod-supervisor.ts';

export interface ApiServerRestart {
  /** When SIGTERM was sent, or when the process ended by itself. Milliseconds since the epoch. */
  readonly stoppedAt: number;
  /** When /readyz at its own address answered 200 again. Milliseconds since the epoch. */
  readonly readyAt: number;
}

/** How long a started API server is asked, at most. */
const patienceMs = 10 * 60 * 1000;

export class RestartLog {
  readonly #restarts: ApiServerRestart[] = [];
  readonly #readyzUrl: string;
  readonly #caPem: string;
  #stoppedAt: number | undefined;
  #polling: AbortController | undefined;

  constructor(apiServerUrl: string, caPem: string) {
    this.#readyzUrl = `${apiServerUrl}/readyz`;
    this.#caPem = caPem;
  }

  /** Completed restarts, oldest first. A crash loop counts as one, from the first end to the first ready. */
  get restarts(): readonly ApiServerRestart[] {
    return [...this.#restarts];
  }

  record(event: PodEvent): void {
    this.#polling?.abort();
    if (event.kind === 'started') void this.#waitUntilReady();
    else this.#stoppedAt ??= event.at;
  }

  close(): void {
    this.#polling?.abort();
  }

  async #waitUntilReady(): Promise<void> {
    // The very first start is no restart.
    const stoppedAt = this.#stoppedAt;
    if (stoppedAt === undefined) return;
    const polling = new AbortController();
    this.#polling = polling;
    const probe = { url: this.#readyzUrl, caPem: this.#caPem, timeoutMs: 1000 };
    const wait = { timeoutMs: patienceMs, pollMs: 50, signal: polling.signal };
    const isReady = await waitForHttps(probe, wait).then(
      () => true,
      () => false,
    );
    if (!isReady || polling.signal.aborted) return;
    this.#restarts.push({ stoppedAt, readyAt: Date.now() });
    this.#stoppedAt = undefined;
  }
}
