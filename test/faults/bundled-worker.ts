// Preloaded into a worker (`--import`): it takes the workflow code from the bundle in KEYTURN_TEST_BUNDLE, where it would make one each time that it starts.
import process from 'node:process';
import { isMainThread } from 'node:worker_threads';

// Node preloads it into the threads of the workflow sandbox too, which make no worker.
if (isMainThread) {
  const { Worker } = await import('@temporalio/worker');
  const create = Worker.create.bind(Worker);
  const codePath = process.env['KEYTURN_TEST_BUNDLE'] ?? '';
  Worker.create = (options) => create({ ...options, workflowBundle: { codePath } });
}
