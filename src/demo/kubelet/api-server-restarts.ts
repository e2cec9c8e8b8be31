// Notices restarts of an API server under a real kubelet, and how long each took, by asking the API server itself.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiServerRestart } from '../control-plane/restart-log.ts';
import { probeHttps } from '../https-probe.ts';

const pollMs = 200;
const timeoutMs = 1000;

export class ApiServerRestarts {
  readonly #restarts: ApiServerRestart[] = [];
  readonly #readyzUrl: string;
  readonly #caPem: string;
  readonly #podLogs: string;
  #isWatching = true;

  /** @param podLogs folder of the host that the node has as /var/log/pods */
  constructor(apiServerUrl: string, caPem: string, podLogs: string) {
    this.#readyzUrl = `${apiServerUrl}/readyz`;
    this.#caPem = caPem;
    this.#podLogs = podLogs;
    void this.#watch();
  }

  /** Completed restarts, oldest first. Times are those of the first /readyz that failed and of the first that succeeded again. */
  get restarts(): readonly ApiServerRestart[] {
    return [...this.#restarts];
  }

  close(): void {
    this.#isWatching = false;
  }

  async #watch(): Promise<void> {
    let known = await this.#containers();
    let stoppedAt: number | undefined;
    while (this.#isWatching) {
      const answer = await probeHttps({ url: this.#readyzUrl, caPem: this.#caPem, timeoutMs });
      if (answer !== 200 && stoppedAt === undefined) {
        stoppedAt = Date.now();
        // A manifest that is again what it was gives its pod the former name: what kubelet has removed meanwhile is new when it comes again.
        const left = new Set(await this.#containers());
        known = known.filter((name) => left.has(name));
      } else if (answer === 200 && stoppedAt !== undefined) {
        // Being out of reach for a while is no restart.
        const containers = await this.#containers();
        if (containers.some((name) => !known.includes(name))) this.#restarts.push({ stoppedAt, readyAt: Date.now() });
        known = containers;
        stoppedAt = undefined;
      }
      await sleep(pollMs, undefined, { ref: false });
    }
  }

  /** kubelet begins a log for each container that it starts, in a folder per pod: their names tell one process from the next. */
  async #containers(): Promise<readonly string[]> {
    const pods = await readdir(this.#podLogs).catch(() => []);
    const logs = pods
      .filter((name) => name.startsWith('kube-system_kube-apiserver-'))
      .map(async (pod) => {
        const names = await readdir(join(this.#podLogs, pod, 'kube-apiserver')).catch(() => []);
        return names.filter((name) => name.endsWith('.log')).map((name) => `${pod}/${name}`);
      });
    return (await Promise.all(logs)).flat();
  }
}
