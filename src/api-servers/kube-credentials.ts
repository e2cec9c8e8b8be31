// What a request must carry to be made as a kubeconfig's user, or as nobody.
import type { Agent } from 'node:http';
import type { RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import { KeyturnError } from '../errors.ts';
import type { TlsOptions } from './https-request.ts';

export interface PresentedCredentials {
  readonly tls: TlsOptions;
  /** `authorization` and impersonation. Secret. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Asks the kubeconfig's credential plugin, and reads its certificate files anew.
 * @throws CONFIG_INVALID where the plugin fails or a file has gone
 */
export async function presentCredentials(kubeConfig: KubeConfig): Promise<PresentedCredentials> {
  const options: RequestOptions & { servername?: string } = {};
  try {
    await kubeConfig.applyToHTTPSOptions(options);
  } catch {
    // The cause is dropped: a plugin's output may hold what it was to keep secret.
    throw unusable(kubeConfig);
  }
  const { ca, cert, key, servername, rejectUnauthorized, auth } = options;
  // client-node's agent is used for what it alone can do: reach the server through a proxy.
  const agent = kubeConfig.getCurrentCluster()?.proxyUrl ? (options.agent as Agent) : undefined;
  return {
    tls: {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(servername === undefined ? {} : { servername }),
      ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
      ...(agent === undefined ? {} : { agent }),
    },
    headers: {
      ...(auth ? { authorization: `Basic ${Buffer.from(auth).toString('base64')}` } : {}),
      ...trimmed(options.headers as Readonly<Record<string, string>> | undefined),
    },
  };
}

/** client-node passes a token file's final newline on, which no header may hold. */
function trimmed(headers: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value.trim()]));
}

/** The same server, authority and proxy without any credentials: a request that carries a token proves the token, not us. */
export function withoutUser(kubeConfig: KubeConfig): KubeConfig {
  const anonymous = new KubeConfig();
  const cluster = kubeConfig.getCurrentCluster();
  if (cluster !== null) anonymous.loadFromClusterAndUser(cluster, { name: 'nobody' });
  return anonymous;
}

function unusable(kubeConfig: KubeConfig): KeyturnError {
  const user = kubeConfig.getCurrentUser();
  const plugin = (user?.exec as { readonly command?: string } | null | undefined)?.command;
  return new KeyturnError(
    'CONFIG_INVALID',
    `The credentials of kubeconfig user ${user?.name ?? '(none)'} cannot be had`,
    {
      subject: `kubeconfig user ${user?.name ?? '(none)'}`,
      remedy: plugin
        ? `Run its credential plugin by hand to see why: ${plugin}`
        : 'Check the certificate, key and token files that it names',
    },
  );
}
