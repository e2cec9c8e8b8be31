// Picks the publisher that keyturn.yaml names. Each is loaded only where it is configured: the SDKs of clouds are large and slow to load.
import type { Publication, PublicIssuer } from '../activities/cluster-adapters.ts';
import type { KubeClient } from '../api-servers/kube-client.ts';
import type { WrittenPublisherConfig } from '../config/publisher-schema.ts';
import type { ClusterConfig } from '../config/schema.ts';
import type { AzureCredentials } from '../publishers/azure-blob.ts';
import type { JwksPublisher } from '../publishers/port.ts';
import { createTrustingFetch } from '../publishers/trusting-fetch.ts';
import { readSecret } from './read-secret.ts';

export interface PublisherSurroundings {
  /** PEM of the private authority of the issuer, where one is configured: it is trusted of the store too. */
  readonly ca: string | undefined;
  /** Makes a path of keyturn.yaml absolute. */
  readonly resolve: (file: string) => string;
}

/** @throws CONFIG_INVALID FILE_UNREADABLE */
export async function composePublisher(
  cluster: Pick<ClusterConfig, 'issuer' | 'publisher'>,
  surroundings: PublisherSurroundings & { readonly client: KubeClient },
): Promise<Publication> {
  const { issuer, publisher: config } = cluster;
  const { ca, client } = surroundings;
  if (config.type === 'platform') {
    const { PlatformPublisher } = await import('../publishers/platform.ts');
    const below = publicIssuerAt(issuer, config, ca);
    return { publisher: new PlatformPublisher(), publicIssuer: { ...below, jwksUrl: config.jwksUrl ?? below.jwksUrl } };
  }
  if (config.type !== 'api-server') {
    return { publisher: await composeWritten(config, surroundings), publicIssuer: publicIssuerAt(issuer, config, ca) };
  }
  const { ApiServerPublisher, SERVED_PATHS } = await import('../publishers/api-server.ts');
  const below = publicIssuerAt(issuer, { jwksPath: SERVED_PATHS.jwks, discoveryPath: SERVED_PATHS.discovery }, ca);
  const { jwksUrl = below.jwksUrl } = config;
  return { publisher: new ApiServerPublisher(client), publicIssuer: { ...below, jwksUrl } };
}

/** @throws as `composePublisher` */
export async function composeMirrors(
  mirrors: ClusterConfig['mirrors'],
  surroundings: PublisherSurroundings,
): Promise<readonly Publication[]> {
  return Promise.all(
    mirrors.map(async (mirror) => ({
      publisher: await composeWritten(mirror, surroundings),
      publicIssuer: publicIssuerAt(mirror.url, mirror, surroundings.ca),
    })),
  );
}

async function composeWritten(
  config: WrittenPublisherConfig,
  { ca, resolve }: PublisherSurroundings,
): Promise<JwksPublisher> {
  const trust = ca === undefined ? {} : { ca };
  switch (config.type) {
    case 'azure-blob': {
      const { AzureBlobPublisher } = await import('../publishers/azure-blob.ts');
      const { container: containerUrl, jwksPath, discoveryPath, cacheControl } = config;
      const credentials = await readCredentials(config.credentials, resolve);
      return new AzureBlobPublisher({ containerUrl, credentials, jwksPath, discoveryPath, cacheControl, ...trust });
    }
    case 's3': {
      const { S3Publisher } = await import('../publishers/s3.ts');
      const { bucket, region, endpoint, cacheControl } = config;
      return new S3Publisher({
        bucket,
        region,
        ...(endpoint === undefined ? {} : { endpoint }),
        jwksKey: nameInBucket(config, config.jwksPath),
        discoveryKey: nameInBucket(config, config.discoveryPath),
        cacheControl,
        ...trust,
      });
    }
    case 'gcs': {
      const { GcsPublisher } = await import('../publishers/gcs.ts');
      const { bucket, endpoint, cacheControl } = config;
      return new GcsPublisher({
        bucket,
        ...(endpoint === undefined ? {} : { endpoint, credentials: 'anonymous' }),
        jwksObject: nameInBucket(config, config.jwksPath),
        discoveryObject: nameInBucket(config, config.discoveryPath),
        cacheControl,
      });
    }
    case 'file': {
      const { FilePublisher } = await import('../publishers/file.ts');
      const { directory, jwksPath, discoveryPath } = config;
      return new FilePublisher({ directory: resolve(directory), jwksPath, discoveryPath });
    }
  }
}

/** @param url below which the documents lie */
function publicIssuerAt(
  url: string,
  { jwksPath, discoveryPath }: Pick<WrittenPublisherConfig, 'jwksPath' | 'discoveryPath'>,
  ca: string | undefined,
): PublicIssuer {
  const base = url.replace(/\/$/, '');
  return {
    jwksUrl: `${base}/${jwksPath}`,
    discoveryUrl: `${base}/${discoveryPath}`,
    fetch: createTrustingFetch(ca),
  };
}

function nameInBucket({ prefix }: { readonly prefix?: string | undefined }, path: string): string {
  return prefix === undefined ? path : `${prefix}/${path}`;
}

async function readCredentials(
  credentials: (WrittenPublisherConfig & { readonly type: 'azure-blob' })['credentials'],
  resolve: (file: string) => string,
): Promise<AzureCredentials> {
  if ('identity' in credentials) return { identity: credentials.identity };
  if ('sas' in credentials) return { sas: await readSecret(credentials.sas, resolve) };
  return { connectionString: await readSecret(credentials.connectionString, resolve) };
}
