// Finds a cluster's rotation whatever started it: the CLI, the Temporal UI, a schedule.
import {
  isGrpcServiceError,
  ServiceError,
  WorkflowNotFoundError,
  type Client,
  type WorkflowExecutionInfo,
} from '@temporalio/client';
import { KeyturnError } from '../errors.ts';
import { statusQuery } from '../workflows/messages.ts';
import { SEARCH_ATTRIBUTES } from '../workflows/search-attributes.ts';
import { clusterOfId, WORKFLOW_TYPES, workflowIdOf, type RotationHandle } from './temporal.ts';

export interface RotationSelection {
  readonly cluster?: string;
  readonly workflowId?: string;
}

type Run = Pick<WorkflowExecutionInfo, 'workflowId' | 'runId' | 'startTime' | 'status' | 'typedSearchAttributes'>;

const IS_OURS = `WorkflowType IN (${WORKFLOW_TYPES.map((type) => `'${type}'`).join(', ')})`;

/** `google.rpc.Code` */
const INVALID_ARGUMENT = 3;

/**
 * The run with this workflow ID; without one, the cluster's: the one that runs, else the latest; without a cluster, the only one that runs.
 * @throws ROTATION_NOT_FOUND, also where several might be meant
 */
export async function findRotation(
  client: Client,
  { cluster, workflowId }: RotationSelection,
): Promise<RotationHandle> {
  if (workflowId !== undefined) return byWorkflowId(client, workflowId);
  const usual = cluster === undefined ? null : await describeUsual(client, cluster);
  // Visibility lags behind: what was started a moment ago is found by its ID only.
  if (usual?.status.name === 'RUNNING') return client.workflow.getHandle(usual.workflowId);
  const running = await runningRotations(client);
  const meant = cluster === undefined ? running : await ofCluster(client, running, cluster);
  const [only, ...others] = meant;
  if (others.length > 0) throw notFound('that alone could be meant', meant);
  const found = only ?? (cluster === undefined ? null : newest(usual, await latestIndexed(client, cluster)));
  if (found !== null) return client.workflow.getHandle(found.workflowId, found.runId);
  throw notFound(cluster === undefined ? 'to show' : `of cluster "${cluster}"`, running);
}

/** The one that runs, else the newest, of those that the CLI started. */
async function describeUsual(client: Client, cluster: string): Promise<Run | null> {
  const runs = await Promise.all(WORKFLOW_TYPES.map((type) => describe(client, workflowIdOf(cluster, type))));
  const running = runs.find((run) => run?.status.name === 'RUNNING');
  return running ?? runs.reduce(newest, null);
}

async function byWorkflowId(client: Client, workflowId: string): Promise<RotationHandle> {
  if ((await describe(client, workflowId)) !== null) return client.workflow.getHandle(workflowId);
  throw notFound(workflowId, await runningRotations(client));
}

/** Asks those whose Temporal service knows no search attributes themselves. */
async function ofCluster(client: Client, runs: readonly Run[], cluster: string): Promise<readonly Run[]> {
  const matches: Run[] = [];
  for (const run of runs) {
    const named = run.typedSearchAttributes.get(SEARCH_ATTRIBUTES.cluster) ?? (await clusterAsTold(client, run));
    if (named === cluster) matches.push(run);
  }
  return matches;
}

/** Null where no worker answers. */
async function clusterAsTold(client: Client, { workflowId, runId }: Run): Promise<string | null> {
  const named = clusterOfId(workflowId);
  if (named !== null) return named;
  const status = await client.workflow
    .getHandle(workflowId, runId)
    .query(statusQuery)
    .catch(() => null);
  return status?.cluster ?? null;
}

function newest(a: Run | null, b: Run | null): Run | null {
  return a === null || (b !== null && b.startTime > a.startTime) ? b : a;
}

async function latestIndexed(client: Client, cluster: string): Promise<Run | null> {
  const name = cluster.replaceAll("'", "''");
  const query = `${IS_OURS} AND ${SEARCH_ATTRIBUTES.cluster.name} = '${name}'`;
  try {
    // The newest come first.
    for await (const run of client.workflow.list({ query, pageSize: 1 })) return run;
    return null;
  } catch (error) {
    // The attribute is not registered.
    if (isInvalidArgument(error)) return null;
    throw error;
  }
}

/** The client wraps what the service answered. */
function isInvalidArgument(error: unknown): boolean {
  const cause = error instanceof ServiceError ? error.cause : error;
  const code: number | undefined = isGrpcServiceError(cause) ? cause.code : undefined;
  return code === INVALID_ARGUMENT;
}

async function describe(client: Client, workflowId: string): Promise<Run | null> {
  try {
    return await client.workflow.getHandle(workflowId).describe();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

async function runningRotations(client: Client): Promise<readonly Run[]> {
  const runs: Run[] = [];
  const query = `${IS_OURS} AND ExecutionStatus = 'Running'`;
  for await (const run of client.workflow.list({ query })) runs.push(run);
  return runs;
}

function notFound(what: string, running: readonly Run[]): KeyturnError {
  const ids = running.map(({ workflowId }) => workflowId);
  const found = ids.length === 0 ? 'no rotation is running' : `running: ${ids.join(', ')}`;
  return new KeyturnError('ROTATION_NOT_FOUND', `There is no rotation ${what}; ${found}`, {
    subject: what,
    remedy: 'Start one with `keyturn rotate`, or name one with --workflow-id',
  });
}
