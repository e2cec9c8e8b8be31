// Connects to Temporal by its own environment variables and profiles, for the worker and the CLI alike.
import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { KeyturnError } from '../errors.ts';
import { readDataConverter } from './payload-encryption.ts';

type ConnectConfig = ReturnType<typeof loadClientConnectConfig>;

/** @throws CONFIG_INVALID where the profile or the payload keys cannot be read, TEMPORAL_UNREACHABLE */
export async function connectClient(): Promise<Client> {
  const { connectionOptions, namespace = 'default' } = readConnectConfig();
  const dataConverter = await readDataConverter();
  const connection = await reachTemporal(() => Connection.connect({ connectTimeout: '10 s', ...connectionOptions }));
  return new Client({ connection, namespace, ...(dataConverter === null ? {} : { dataConverter }) });
}

/** @throws CONFIG_INVALID where the profile cannot be read */
export function readConnectConfig(): ConnectConfig {
  try {
    return loadClientConnectConfig();
  } catch (cause) {
    const file = process.env['TEMPORAL_CONFIG_FILE'] ?? "Temporal's configuration file";
    throw new KeyturnError(
      'CONFIG_INVALID',
      `${file} has no usable profile ${process.env['TEMPORAL_PROFILE'] ?? 'default'}`,
      {
        subject: file,
        remedy: 'Correct it, or remove it and set TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE',
        cause,
      },
    );
  }
}

/** @param connect with the options of `readConnectConfig` @throws TEMPORAL_UNREACHABLE */
export async function reachTemporal<T>(connect: () => Promise<T>): Promise<T> {
  try {
    return await connect();
  } catch (cause) {
    const { address = 'localhost:7233' } = readConnectConfig().connectionOptions;
    throw new KeyturnError('TEMPORAL_UNREACHABLE', `Temporal at ${address} does not answer`, {
      subject: address,
      remedy:
        'Set TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and what else your service needs, or choose a profile with TEMPORAL_PROFILE',
      retryable: true,
      cause,
    });
  }
}
