// Asks an https address whether it answers, as a load balancer or a kubelet does.
import { get } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

export interface HttpsProbe {
  readonly url: string;
  /** CA certificates (PEM); `undefined` where any certificate will do. */
  readonly caPem: string | undefined;
  /** Default 2000. */
  readonly timeoutMs?: number;
}

/** The status code, or what went wrong. */
export async function probeHttps(probe: HttpsProbe): Promise<number | Error> {
  const signal = AbortSignal.timeout(probe.timeoutMs ?? 2000);
  const trust = probe.caPem === undefined ? { rejectUnauthorized: false } : { ca: probe.caPem };
  return new Promise((resolve) => {
    const request = get(probe.url, { ...trust, agent: false, signal }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.once('error', resolve);
  });
}

export interface WaitOptions {
  readonly timeoutMs: number;
  /** Default 100. */
  readonly pollMs?: number;
  /** Which status codes end the wait. Default: 200. */
  readonly isReady?: (status: number) => boolean;
  /** Ends the wait early. */
  readonly signal?: AbortSignal;
}

/**
 * Waits until the address answers, with 200 unless told otherwise.
 * @throws Error with the last answer after `timeoutMs`, or the signal's reason
 */
export async function waitForHttps(probe: HttpsProbe, options: WaitOptions): Promise<void> {
  const isReady = options.isReady ?? ((status) => status === 200);
  const giveUpAt = Date.now() + options.timeoutMs;
  for (;;) {
    options.signal?.throwIfAborted();
    const answer = await probeHttps(probe);
    if (typeof answer === 'number' && isReady(answer)) return;
    if (Date.now() > giveUpAt) {
      const last = answer instanceof Error ? answer.message : `answered ${answer}`;
      throw new Error(`${probe.url} is not ready after ${options.timeoutMs / 1000} s: ${last}`);
    }
    await sleep(options.pollMs ?? 100);
  }
}
