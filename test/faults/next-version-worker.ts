// Preloaded into a worker (`--import`): makes it the next version, whose workflow code has steps that the present one lacks.
import path from 'node:path';
import { isMainThread } from 'node:worker_threads';

// Node preloads it into the threads of the workflow sandbox too, which make no worker.
if (isMainThread) {
  const { Worker } = await import('@temporalio/worker');
  const create = Worker.create.bind(Worker);
  const nextVersion = path.join(import.meta.dirname, '../integration/temporal/next-version.ts');
  Worker.create = (options) =>
    create({
      ...options,
      interceptors: { workflowModules: [nextVersion] },
      activities: { ...options.activities, lookTwice: async () => undefined },
    });
}
