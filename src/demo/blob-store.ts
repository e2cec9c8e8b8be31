// An Azure Blob service (Azurite) over https on loopback, with a public container for the issuer's documents.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BlobServiceClient, type StoragePipelineOptions } from '@azure/storage-blob';
import { createCertificateAuthority } from './certificate-authority.ts';
import { azuriteBlobScript } from './components/azurite.ts';
import { reservePort } from './free-port.ts';
import { type GuardedProcess, startGuardedProcess } from './guarded-process.ts';
import { waitForHttps } from './https-probe.ts';

export interface BlobStoreOptions {
  /** Gets certificates, blobs and `azurite.log`. Made where it is missing. */
  readonly directory: string;
  /** Default `oidc`. */
  readonly container?: string;
  /** Whether anyone may read blobs, as relying parties must. Default true. */
  readonly isPublic?: boolean;
  /** Whether bearer tokens are accepted besides the account key; their signatures are not checked. Default false. */
  readonly oauth?: boolean;
}

export interface BlobStore {
  /** With the account key that every Azurite has. */
  readonly connectionString: string;
  /** `https://127.0.0.1:<port>/devstoreaccount1/<container>`, the same after each `start`. */
  readonly containerUrl: string;
  /** Certificate of the authority that signed the service's certificate. */
  readonly caPath: string;
  /** Starts it again after `stop`, on the same port and with the same blobs; settles when it serves. */
  start(): Promise<void>;
  /** Settles when the process is gone. Nothing happens if it is gone already. */
  stop(): Promise<void>;
}

const account = 'devstoreaccount1';
/** Azurite's well-known key, the same for everyone: https://github.com/Azure/Azurite#default-storage-account */
const accountKey = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';
const readyTimeoutMs = 60_000;
const stopGraceMs = 5_000;

/** @throws COMPONENT_UNAVAILABLE, or Error where it is not ready after 60 s; nothing is left running */
export async function startBlobStore(options: BlobStoreOptions): Promise<BlobStore> {
  const script = azuriteBlobScript();
  const files = await writeCertificates(options.directory);
  // Ours until this process ends: after an outage the service comes back at the same address.
  const { port } = await reservePort();
  const accountUrl = `https://127.0.0.1:${port}/${account}`;
  const logFile = join(options.directory, 'azurite.log');
  const flags: readonly (readonly string[])[] = [
    ['--blobHost', '127.0.0.1'],
    ['--blobPort', String(port)],
    ['--location', join(options.directory, 'blobs')],
    ['--cert', files.certificatePath],
    ['--key', files.privateKeyPath],
    options.oauth ? ['--oauth', 'basic'] : [],
    ['--skipApiVersionCheck'],
    ['--disableTelemetry'],
    ['--silent'],
  ];
  let running: GuardedProcess | undefined;

  const stop = async (): Promise<void> => {
    await running?.stop(stopGraceMs);
    running = undefined;
  };
  const start = async (): Promise<void> => {
    if (running !== undefined) return;
    running = await startGuardedProcess(process.execPath, [script, ...flags.flat()], { logFile });
    try {
      // It has no health address: any answer will do.
      const probe = { url: `${accountUrl}?comp=list`, caPem: files.caPem };
      await waitForHttps(probe, { timeoutMs: readyTimeoutMs, isReady: () => true });
    } catch (error) {
      await stop();
      throw new Error(`Azurite did not start, see ${logFile}`, { cause: error });
    }
  };
  await start();

  const connectionString = [
    'DefaultEndpointsProtocol=https',
    `AccountName=${account}`,
    `AccountKey=${accountKey}`,
    `BlobEndpoint=${accountUrl}`,
  ].join(';');
  const container = options.container ?? 'oidc';
  try {
    await createContainer(connectionString, files.caPem, container, options.isPublic ?? true);
  } catch (error) {
    await stop();
    throw error;
  }
  return { connectionString, containerUrl: `${accountUrl}/${container}`, caPath: files.caPath, start, stop };
}

async function createContainer(connectionString: string, ca: string, name: string, isPublic: boolean): Promise<void> {
  // The client passes this on to @azure/core-rest-pipeline but does not declare it.
  const options: StoragePipelineOptions & { readonly tlsOptions: { readonly ca: string } } = { tlsOptions: { ca } };
  const service = BlobServiceClient.fromConnectionString(connectionString, options);
  await service.getContainerClient(name).createIfNotExists(isPublic ? { access: 'blob' } : {});
}

interface CertificateFiles {
  readonly caPem: string;
  readonly caPath: string;
  readonly certificatePath: string;
  readonly privateKeyPath: string;
}

async function writeCertificates(directory: string): Promise<CertificateFiles> {
  await mkdir(join(directory, 'blobs'), { recursive: true });
  const authority = await createCertificateAuthority('keyturn-demo-blob-store');
  const server = await authority.issue({ commonName: 'azurite', serverNames: ['127.0.0.1', 'localhost'] });
  const caPath = join(directory, 'ca.crt');
  const certificatePath = join(directory, 'server.crt');
  const privateKeyPath = join(directory, 'server.key');
  await Promise.all([
    writeFile(caPath, authority.certificatePem),
    writeFile(certificatePath, server.certificatePem),
    writeFile(privateKeyPath, server.privateKeyPem, { mode: 0o600 }),
  ]);
  return { caPem: authority.certificatePem, caPath, certificatePath, privateKeyPath };
}
