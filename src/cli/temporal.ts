// The CLI's side of Temporal: a client by Temporal's own environment variables and profiles, and what rotations are called there.
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { KeyturnError } from '../errors.ts';
import type { rotateSigningKey } from '../workflows/index.ts';

export const WORKFLOW_TYPE = 'rotateSigningKey';

export type RotationHandle = WorkflowHandle<typeof rotateSigningKey>;

/** One rotation of a cluster at a time has this ID; the Lease in the cluster holds whatever the ID is. */
export function workflowIdOf(cluster: string): string {
  return `rotate-signing-key/${cluster}`;
}

/** @throws TEMPORAL_UNREACHABLE */
export async function connectClient(): Promise<Client> {
  const { connectionOptions, namespace } = loadClientConnectConfig();
  try {
    const connection = await Connection.connect({ connectTimeout: '10 s', ...connectionOptions });
    return new Client({ connection, namespace: namespace ?? 'default' });
  } catch (cause) {
    const address = connectionOptions.address ?? 'localhost:7233';
    throw new KeyturnError('TEMPORAL_UNREACHABLE', `Temporal at ${address} does not answer`, {
      subject: address,
      remedy:
        'Set TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and what else your service needs, or choose a profile with TEMPORAL_PROFILE',
      retryable: true,
      cause,
    });
  }
}
