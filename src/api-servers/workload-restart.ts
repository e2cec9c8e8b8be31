// Restarts a workload as `kubectl rollout restart` does, once per rotation, and waits until its pods are new and available.
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyturnError } from '../errors.ts';
import { titleOf, type WorkloadKind, type WorkloadName } from '../rotation/workload.ts';
import { jsonOf } from './answer-json.ts';
import type { ApiCall } from './api-call.ts';
import type { KubeClient } from './kube-client.ts';
import { rolloutOf, whyNotRestartable, workloadShape, type Workload } from './rollout.ts';

/** kubectl's own: shows in `kubectl rollout history` and makes the template a new one. */
const RESTARTED_AT = 'kubectl.kubernetes.io/restartedAt';
/** So that a rotation that is taken up does not restart it twice. */
const RESTARTED_BY = 'keyturn.dev/restarted-by-rotation';

const POLL_MS = 500;

const RESOURCES = { Deployment: 'deployments', StatefulSet: 'statefulsets', DaemonSet: 'daemonsets' } as const;

export function resourceOf(kind: WorkloadKind): string {
  return RESOURCES[kind];
}

export interface RestartOptions {
  readonly rotationId: string;
  /** How long its rollout may take, ms. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Told how far the rollout is. */
  readonly report: (progress: string) => void;
}

/**
 * @returns whether it was restarted now, and how its rollout ended
 * @throws WORKLOAD_NOT_FOUND; ROLLOUT_INCOMPLETE where its pods did not become available in time, or where a restart would have no effect;
 *   API_SERVER_UNREACHABLE, API_SERVER_FORBIDDEN
 */
export async function restartWorkload(
  client: KubeClient,
  workload: WorkloadName,
  { rotationId, timeoutMs, signal, report }: RestartOptions,
): Promise<{ readonly restarted: boolean; readonly progress: string }> {
  const found = await readWorkload(client, workload);
  const restarted = found.spec.template.metadata?.annotations?.[RESTARTED_BY] !== rotationId;
  if (restarted) {
    const obstacle = whyNotRestartable(workload.kind, found);
    if (obstacle !== null) throw noEffect(workload, obstacle);
    const annotations = { [RESTARTED_AT]: new Date().toISOString(), [RESTARTED_BY]: rotationId };
    await client.call({
      ...callFor('patch', workload),
      body: { spec: { template: { metadata: { annotations } } } },
    });
  }
  for (const deadline = Date.now() + timeoutMs; ; await sleep(POLL_MS, undefined, { signal })) {
    const { state, progress } = rolloutOf(workload.kind, await readWorkload(client, workload));
    if (state === 'done') return { restarted, progress };
    report(`waiting for the rollout of ${titleOf(workload)}: ${progress}`);
    if (state === 'stuck' || Date.now() > deadline) throw incomplete(workload, progress);
  }
}

async function readWorkload(client: KubeClient, workload: WorkloadName): Promise<Workload> {
  const call = callFor('get', workload);
  const answer = await client.call(call, [404]);
  if (answer.status !== 404) return jsonOf(workloadShape, answer.body, `get ${call.resource}`);
  throw new KeyturnError('WORKLOAD_NOT_FOUND', `There is no ${titleOf(workload)}, which the rotation should restart`, {
    subject: titleOf(workload),
    remedy: 'Make it, then retry; or roll back and take it out of policies.restartWorkloads',
  });
}

function callFor(verb: 'get' | 'patch', { namespace, kind, name }: WorkloadName): ApiCall {
  return {
    verb,
    path: `/apis/apps/v1/namespaces/${namespace}/${resourceOf(kind)}/${name}`,
    resource: `${resourceOf(kind)}.apps`,
    object: `${namespace}/${name}`,
  };
}

function noEffect(workload: WorkloadName, obstacle: string): KeyturnError {
  return new KeyturnError(
    'ROLLOUT_INCOMPLETE',
    `A restart of ${titleOf(workload)} would not replace its pods: ${obstacle}`,
    {
      subject: titleOf(workload),
      remedy: 'Change that, then retry; or roll back and take it out of policies.restartWorkloads',
    },
  );
}

function incomplete(workload: WorkloadName, progress: string): KeyturnError {
  return new KeyturnError(
    'ROLLOUT_INCOMPLETE',
    `The rollout of ${titleOf(workload)} did not come to its end: ${progress}`,
    {
      subject: titleOf(workload),
      remedy:
        'Find out why its pods do not become available (kubectl rollout status), mend it, then retry: it is not restarted again',
    },
  );
}
