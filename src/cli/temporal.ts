// The CLI's side of Temporal: a client by Temporal's own environment variables and profiles, and the rotations that it can find.
import { Client, Connection, WorkflowNotFoundError, type WorkflowHandle } from '@temporalio/client';
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

/** The rotation with this workflow ID; without one, the cluster's; without a cluster, the only one that runs. */
export async function findRotation(
  client: Client,
  options: { readonly cluster?: string; readonly workflowId?: string },
): Promise<RotationHandle> {
  const workflowId = options.workflowId ?? (options.cluster === undefined ? undefined : workflowIdOf(options.cluster));
  if (workflowId !== undefined && (await exists(client, workflowId))) return client.workflow.getHandle(workflowId);
  const running = await runningRotations(client);
  const [only, ...others] = running;
  if (options.workflowId === undefined && only !== undefined && others.length === 0)
    return client.workflow.getHandle(only);
  const found = running.length === 0 ? 'no rotation is running' : `running: ${running.join(', ')}`;
  throw new KeyturnError('ROTATION_NOT_FOUND', `There is no rotation ${workflowId ?? 'to show'}; ${found}`, {
    subject: workflowId ?? WORKFLOW_TYPE,
    remedy: 'Start one with `keyturn rotate`, or name one with --workflow-id',
  });
}

async function exists(client: Client, workflowId: string): Promise<boolean> {
  try {
    await client.workflow.getHandle(workflowId).describe();
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

async function runningRotations(client: Client): Promise<readonly string[]> {
  const ids: string[] = [];
  const query = `WorkflowType = '${WORKFLOW_TYPE}' AND ExecutionStatus = 'Running'`;
  for await (const { workflowId } of client.workflow.list({ query })) ids.push(workflowId);
  return ids;
}
