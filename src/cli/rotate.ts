// keyturn rotate: starts a rotation, and waits for its end where asked.
import { hostname, userInfo } from 'node:os';
import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import { Command, Option } from 'commander';
import type { RotationInput } from '../activities/contract.ts';
import { findCluster, loadConfig } from '../config/load.ts';
import { KeyturnError } from '../errors.ts';
import type { migrateIssuer, rotateSigningKey } from '../workflows/index.ts';
import { resultOf } from './ask-rotation.ts';
import { print } from './output.ts';
import { connectClient } from '../worker/connect-temporal.ts';
import { workflowIdOf, type RotationHandle } from './temporal.ts';

interface RotateOptions {
  readonly config: string;
  readonly reason?: string;
  readonly gate?: ('signing' | 'pruning' | 'each-node')[];
  readonly allowSingleApiServer?: boolean;
  readonly wait?: boolean;
  readonly json?: boolean;
}

export function rotateCommand(): Command {
  return new Command('rotate')
    .description('start the rotation of a cluster')
    .argument('[cluster]', 'name in keyturn.yaml; may be left out where only one is configured')
    .option('--reason <text>', 'stands in the audit record')
    .addOption(new Option('--gate <gate...>', 'ask before').choices(['signing', 'pruning', 'each-node']))
    .option('--allow-single-api-server', 'accept that the cluster is without an API while its only API server restarts')
    .option('--wait', 'wait for the end and print the audit record')
    .action(async (cluster: string | undefined, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<RotateOptions>();
      const config = await loadConfig(options.config);
      const { name } = findCluster(config, cluster);
      const client = await connectClient();
      const handle = await startRotation(client, config.taskQueue, {
        cluster: name,
        requestedBy: requesterOf(),
        ...(options.reason === undefined ? {} : { reason: options.reason }),
        ...(options.gate === undefined ? {} : { gates: options.gate }),
        ...(options.allowSingleApiServer === undefined ? {} : { allowSingleApiServer: options.allowSingleApiServer }),
      });
      const { workflowId } = handle;
      if (options.wait !== true) {
        print({ workflowId, cluster: name }, `Started ${workflowId}. Watch it with: keyturn watch ${name}`, options);
        return;
      }
      const audit = await resultOf(handle);
      print(audit, `${audit.outcome}: ${audit.keys.map(({ kid, role }) => `${kid} ${role}`).join(', ')}`, options);
    });
}

/** Who asks, for the audit record: as this machine says. */
export function requesterOf(): string {
  return `${userInfo().username}@${hostname()}`;
}

type NamedInput = RotationInput & { readonly cluster: string };

/** @throws ROTATION_RUNNING where the cluster's rotation is under way in this namespace */
export async function startRotation(client: Client, taskQueue: string, input: NamedInput): Promise<RotationHandle> {
  const { cluster } = input;
  return refuseSecond(cluster, workflowIdOf(cluster), 'rotated', (workflowId) =>
    client.workflow.start<typeof rotateSigningKey>('rotateSigningKey', {
      workflowId,
      taskQueue,
      args: [input],
      staticSummary: `Rotate the signing key of ${cluster}`,
      staticDetails: detailsOf(input),
    }),
  );
}

/** @throws ROTATION_RUNNING where the cluster is being moved to another issuer in this namespace */
export async function startMigration(client: Client, taskQueue: string, input: NamedInput): Promise<RotationHandle> {
  const { cluster } = input;
  return refuseSecond(cluster, workflowIdOf(cluster, 'migrateIssuer'), 'migrated', (workflowId) =>
    client.workflow.start<typeof migrateIssuer>('migrateIssuer', {
      workflowId,
      taskQueue,
      args: [input],
      staticSummary: `Move ${cluster} to another issuer`,
      staticDetails: detailsOf(input),
    }),
  );
}

function detailsOf({ cluster, reason, requestedBy }: NamedInput): string {
  return `Cluster: **${cluster}**\n\nReason: ${reason ?? 'none given'}\n\nRequested by: ${requestedBy ?? 'unknown'}`;
}

async function refuseSecond(
  cluster: string,
  workflowId: string,
  done: 'rotated' | 'migrated',
  start: (workflowId: string) => Promise<RotationHandle>,
): Promise<RotationHandle> {
  try {
    return await start(workflowId);
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const what = done === 'rotated' ? 'signing key' : 'issuer';
    throw new KeyturnError('ROTATION_RUNNING', `The ${what} of "${cluster}" is being ${done} already (${workflowId})`, {
      subject: workflowId,
      remedy: `See where it stands with: keyturn status ${cluster}`,
      cause: error,
    });
  }
}
