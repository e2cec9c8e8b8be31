// Picks the publisher that keyturn.yaml names. Each is loaded only where it is configured: the SDKs of clouds are large and slow to load.
import type { PublisherConfig } from '../config/publisher-schema.ts';
import type { AzureCredentials } from '../publishers/azure-blob.ts';
import type { JwksPublisher } from '../publishers/port.ts';
import { readSecret } from './read-secret.ts';

/**
 * @param ca PEM of the private authority of the issuer, where one is configured: it is trusted of the store too
 * @param resolve makes a path of keyturn.yaml absolute
 * @throws CONFIG_INVALID FILE_UNREADABLE
 */
export async function composePublisher(
  config: PublisherConfig,
  ca: string | undefined,
  resolve: (file: string) => string,
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
    case 'platform': {
      const { PlatformPublisher } = await import('../publishers/platform.ts');
      return new PlatformPublisher();
    }
    case 'file': {
      const { FilePublisher } = await import('../publishers/file.ts');
      const { directory, jwksPath, discoveryPath } = config;
      return new FilePublisher({ directory: resolve(directory), jwksPath, discoveryPath });
    }
  }
}

function nameInBucket({ prefix }: { readonly prefix?: string | undefined }, path: string): string {
  return prefix === undefined ? path : `${prefix}/${path}`;
}

async function readCredentials(
  credentials: (PublisherConfig & { readonly type: 'azure-blob' })['credentials'],
  resolve: (file: string) => string,
): Promise<AzureCredentials> {
  if ('identity' in credentials) return { identity: credentials.identity };
  if ('sas' in credentials) return { sas: await readSecret(credentials.sas, resolve) };
  return { connectionString: await readSecret(credentials.connectionString, resolve) };
}
