// Plants a key as a careless program would: in a workflow's input, a heartbeat, an error, a result and a reason. Shows that it would be found there.
import { randomUUID } from 'node:crypto';
import { Context } from '@temporalio/activity';
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import type { RotationInput } from '../../../src/activities/contract.ts';
import { eventually, quickWorld, startWorker } from '../temporal/simulated-rotation.ts';
import { bundleWorkflows } from '../../workflows/rotation-harness.ts';

export interface Planted {
  /** In four forms, one for each place. */
  readonly inInput: string;
  readonly inHeartbeat: unknown;
  readonly inError: string;
  readonly inReason: string;
}

export type PendingActivities = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>;

/** Runs a real workflow whose activities leak, until the server tells what is looked for. Gives its run's ID; it is ended. */
export async function leak(
  client: Client,
  address: string,
  planted: Planted,
  isToldIn: (activities: PendingActivities) => boolean,
): Promise<string> {
  const native = await NativeConnection.connect({ address });
  const world = quickWorld(500);
  const taskQueue = randomUUID();
  const workflowId = `leak-${taskQueue}`;
  const worker = await startWorker(
    { native },
    {
      taskQueue,
      workflowBundle: await bundleWorkflows(),
      activities: {
        ...world.activities(),
        publishKey: async () => {
          Context.current().heartbeat(planted.inHeartbeat);
          // The heartbeat goes out with the failure.
          throw new Error(planted.inError);
        },
      },
    },
  );
  try {
    const input: RotationInput = { cluster: 'prod', reason: planted.inInput };
    const handle = await client.workflow.start('rotateSigningKey', { taskQueue, workflowId, args: [input] });
    await eventually(async () => {
      const { pendingActivities } = (await handle.describe()).raw;
      return pendingActivities != null && isToldIn(pendingActivities);
    });
    await handle.terminate(planted.inReason);
    return handle.firstExecutionRunId;
  } finally {
    await worker.stop();
    await native.close();
  }
}
