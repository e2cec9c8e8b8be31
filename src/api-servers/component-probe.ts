// Asks a kube-controller-manager's secure port whether it is healthy and since when it runs.
import type { KubeConfig } from '@kubernetes/client-node';
import { sendHttps } from './https-request.ts';
import type { HttpsAnswer } from './https-request.ts';
import { presentCredentials, withoutUser } from './kube-credentials.ts';

/** Implements the port of `platforms/static-pod/component-probe.ts`. Neither method throws. */
export interface KubeComponentProbe {
  startTime(): Promise<number | undefined>;
  healthy(): Promise<boolean>;
}

/**
 * kube-controller-manager makes itself a self-signed serving certificate at each start unless it is given one, so on loopback (kubeadm's default,
 * 127.0.0.1:10257) there is nothing to verify it with. What passes such a connection is safe with anyone who might have taken the port: a client
 * certificate's proof holds for this one TLS handshake only, and the answers hold no secrets. A bearer token could be used again by
 * whoever gets it: it goes over verified connections only. Other hosts are always verified.
 *
 * Its start is `process_start_time_seconds` of `/metrics`: undefined where it does not answer, where the kubeconfig's user may not read it, or
 * where the credential is a token and the component's certificate cannot be verified. It is healthy where `/healthz` answers 200.
 *
 * @param url e.g. `https://127.0.0.1:10257`
 * @param timeoutMs default 3000
 */
export function createComponentProbe(kubeConfig: KubeConfig, url: string, timeoutMs = 3000): KubeComponentProbe {
  const origin = new URL(url).origin;
  const nobody = withoutUser(kubeConfig);

  async function ask(path: string, asWhom: KubeConfig): Promise<HttpsAnswer> {
    const { tls, headers } = await presentCredentials(asWhom);
    const carriesToken = Object.keys(headers).length > 0;
    const { servername: _apiServersName, agent: _proxy, ...ours } = tls;
    return sendHttps({
      method: 'GET',
      url: `${origin}${path}`,
      headers,
      timeoutMs,
      repeatable: true,
      tls:
        isLoopback(origin) && !carriesToken
          ? { ...ours, rejectUnauthorized: false }
          : { ...ours, rejectUnauthorized: true },
    });
  }

  return {
    async startTime() {
      const answer = await ask('/metrics', kubeConfig).catch(() => undefined);
      if (answer?.status !== 200) return undefined;
      const seconds = /^process_start_time_seconds (\S+)$/m.exec(answer.body)?.[1];
      return seconds === undefined ? undefined : Number(seconds) * 1000;
    },

    async healthy() {
      const answer = await ask('/healthz', nobody).catch(() => undefined);
      return answer?.status === 200;
    },
  };
}

function isLoopback(origin: string): boolean {
  const { hostname } = new URL(origin);
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}
