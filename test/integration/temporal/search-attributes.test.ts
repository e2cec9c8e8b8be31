// Search attributes on a real server: registered by the worker, kept by the workflow, and what the CLI finds rotations by.
import { randomUUID } from 'node:crypto';
import { Client } from '@temporalio/client';
import { setTimeout as sleep } from 'node:timers/promises';
import { DefaultLogger, type LogEntry } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findRotation } from '../../../src/cli/find-rotation.ts';
import { areKnown, registerSearchAttributes } from '../../../src/worker/register-search-attributes.ts';
import { statusQuery } from '../../../src/workflows/messages.ts';
import { SEARCH_ATTRIBUTES } from '../../../src/workflows/search-attributes.ts';
import { bundleWorkflows } from '../../workflows/rotation-harness.ts';
import type { WorldOptions } from '../../workflows/simulated-activities.ts';
import {
  eventually,
  quickWorld,
  startDevServer,
  startRotation,
  startWorker,
  type DevServer,
} from './simulated-rotation.ts';

type Bundle = Awaited<ReturnType<typeof bundleWorkflows>>;

let bundle: Bundle;
let dev: DevServer;
beforeAll(async () => {
  bundle = await bundleWorkflows();
});

function register(client: Client): Promise<boolean> {
  return registerSearchAttributes({ client, logger, sleep });
}
let logged: LogEntry[] = [];
const logger = new DefaultLogger('INFO', (entry) => void logged.push(entry));
beforeEach(() => {
  logged = [];
});

/** A rotation that stops at the gate before Signing. */
async function withRotation<T>(
  options: Omit<WorldOptions, 'cluster'> & { readonly named?: string },
  work: (rotation: Awaited<ReturnType<typeof startRotation>>) => Promise<T>,
): Promise<T> {
  const world = quickWorld(500, options);
  const taskQueue = randomUUID();
  const worker = await startWorker(dev, { taskQueue, workflowBundle: bundle, activities: world.activities() });
  try {
    const input = { cluster: options.named ?? 'prod', gates: ['signing'] } as const;
    const handle = await startRotation(dev, taskQueue, input);
    await eventually(async () => (await handle.query(statusQuery)).state === 'gated');
    return await work(handle);
  } finally {
    await worker.stop();
  }
}
const approve = { args: [{ reason: 'test' }] as [{ reason: string }] };

describe('a server that does not know them', () => {
  beforeAll(async () => {
    dev = await startDevServer();
  });
  afterAll(() => dev.stop());

  it('where registering is refused: the worker says which command does it, and runs all the same', async () => {
    const refused = Object.assign(new Error('7 PERMISSION_DENIED: no'), { code: 7, details: 'no', metadata: {} });
    const operatorService = { listSearchAttributes: () => Promise.reject(refused) };
    const connection = Object.create(dev.client.connection, { operatorService: { value: operatorService } });
    expect(await register(new Client({ connection }))).toBe(false);
    expect(logged).toMatchObject([
      {
        level: 'WARN',
        message: 'The search attributes could not be registered (no); rotations run all the same',
        meta: {
          remedy:
            'temporal operator search-attribute create --namespace default --name KeyturnCluster --type Keyword ' +
            '--name KeyturnPhase --type Keyword --name KeyturnActiveKid --type Keyword --name KeyturnOutcome --type Keyword',
        },
      },
    ]);
  });

  it('a rotation completes without them, and is found by what it says itself', async () => {
    const preflight = { searchable: false };
    await withRotation({ preflight, named: 'staging' }, async (staging) => {
      await withRotation({ preflight, named: 'prod' }, async (prod) => {
        const found = await eventually(() => findRotation(dev.client, { cluster: 'prod' }));
        expect(found.workflowId).toBe(prod.workflowId);
        expect((await findRotation(dev.client, { cluster: 'staging' })).workflowId).toBe(staging.workflowId);
        await prod.executeUpdate('approve', approve);
        expect(await prod.result()).toMatchObject({ outcome: 'completed' });
      });
      await expect(findRotation(dev.client, { cluster: 'nobody' })).rejects.toMatchObject({
        code: 'ROTATION_NOT_FOUND',
        message: expect.stringContaining(`There is no rotation of cluster "nobody"; running: ${staging.workflowId}.`),
      });
      await staging.terminate('test');
    });
  });
});

describe('a server that knows them', () => {
  beforeAll(async () => {
    dev = await startDevServer();
  });
  afterAll(() => dev.stop());
  afterEach(async () => {
    for await (const { workflowId } of dev.client.workflow.list({ query: "ExecutionStatus = 'Running'" }))
      await dev.client.workflow
        .getHandle(workflowId)
        .terminate('the test is over')
        .catch(() => undefined);
  });

  it('learns them from the first worker', async () => {
    expect(await areKnown(dev.client)).toBe(false);
    expect(await register(dev.client)).toBe(true);
    expect(await areKnown(dev.client)).toBe(true);
    expect(await register(dev.client)).toBe(true);
    expect(logged).toEqual([]);
    const { customAttributes } = await dev.client.connection.operatorService.listSearchAttributes({
      namespace: 'default',
    });
    const KEYWORD = 2;
    expect(customAttributes).toMatchObject({
      KeyturnCluster: KEYWORD,
      KeyturnPhase: KEYWORD,
      KeyturnActiveKid: KEYWORD,
      KeyturnOutcome: KEYWORD,
    });
  });

  it('shows cluster, phase, active key and outcome, once a phase', async () => {
    await withRotation({ nodes: ['node-1', 'node-2', 'node-3'], preflight: { searchable: true } }, async (handle) => {
      const at = async () => {
        const { typedSearchAttributes: attributes } = await handle.describe();
        const { cluster, phase, activeKid, outcome } = SEARCH_ATTRIBUTES;
        return [cluster, phase, activeKid, outcome].map((key) => attributes.get(key));
      };
      expect(await at()).toEqual(['prod', 'Signing', 'former-kid', undefined]);
      await handle.executeUpdate('approve', approve);
      await handle.result();
      expect(await at()).toEqual(['prod', 'Retiring', 'next-kid', 'completed']);

      const { events } = await handle.fetchHistory();
      const UPSERTED = 40;
      const upserted = (events ?? [])
        .filter(({ eventType }) => Number(eventType) === UPSERTED)
        .map((event) =>
          Object.keys(event.upsertWorkflowSearchAttributesEventAttributes?.searchAttributes?.indexedFields ?? {}),
        )
        // Temporal's own, which tells of `patched`.
        .filter((names) => !names.includes('TemporalChangeVersion'));
      // Ten phases after Preflight, and the outcome.
      expect(upserted).toHaveLength(11);
      expect(events?.length).toBeLessThan(300);
    });
  });

  it('does not keep the outcome of a former run that the UI handed on', async () => {
    const world = quickWorld(500, { preflight: { searchable: true } });
    const taskQueue = randomUUID();
    const worker = await startWorker(dev, { taskQueue, workflowBundle: bundle, activities: world.activities() });
    try {
      const handle = await dev.client.workflow.start('rotateSigningKey', {
        taskQueue,
        workflowId: randomUUID(),
        args: [{ cluster: 'prod', gates: ['signing'] }],
        typedSearchAttributes: [{ key: SEARCH_ATTRIBUTES.outcome, value: 'completed' }],
      });
      await eventually(async () => (await handle.query(statusQuery)).state === 'gated');
      const { typedSearchAttributes } = await handle.describe();
      expect(typedSearchAttributes.get(SEARCH_ATTRIBUTES.outcome)).toBeUndefined();
    } finally {
      await worker.stop();
    }
  });

  it('lets the CLI find a rotation by its cluster, also after its end, without asking it', async () => {
    const { workflowId } = await withRotation({ preflight: { searchable: true }, named: 'eu-1' }, async (handle) => {
      const found = await eventually(() => findRotation(dev.client, { cluster: 'eu-1' }));
      expect(found.workflowId).toBe(handle.workflowId);
      await handle.executeUpdate('approve', approve);
      await handle.result();
      return handle;
    });
    // No worker any more, and a newer one of another cluster.
    const found = await eventually(() => findRotation(dev.client, { cluster: 'eu-1' }));
    expect(found.workflowId).toBe(workflowId);
  });

  it('finds the one with the usual ID at once, before visibility does', async () => {
    const workflowId = 'rotate-signing-key/us-1';
    await startRotation(dev, 'nobody', { cluster: 'us-1' }, workflowId);
    expect((await findRotation(dev.client, { cluster: 'us-1' })).workflowId).toBe(workflowId);
  });

  it('prefers the one that runs to one with the usual ID that has ended', async () => {
    const usual = await startRotation(dev, 'nobody', { cluster: 'us-2' }, 'rotate-signing-key/us-2');
    await usual.terminate('test');
    await withRotation({ preflight: { searchable: true }, named: 'us-2' }, async (handle) => {
      await eventually(
        async () => (await findRotation(dev.client, { cluster: 'us-2' })).workflowId === handle.workflowId,
      );
    });
  });

  it('without a cluster takes the only one that runs, and never guesses among several', async () => {
    const first = await startRotation(dev, 'nobody', {}, 'one');
    await eventually(async () => (await findRotation(dev.client, {})).workflowId === first.workflowId);
    await startRotation(dev, 'nobody', {}, 'two');
    await eventually(async () =>
      findRotation(dev.client, {}).then(
        () => false,
        (error: unknown) => {
          expect(error).toMatchObject({
            code: 'ROTATION_NOT_FOUND',
            message: expect.stringMatching(/running: (one, two|two, one)/),
          });
          return true;
        },
      ),
    );
    expect((await findRotation(dev.client, { workflowId: 'two' })).workflowId).toBe('two');
    await expect(findRotation(dev.client, { workflowId: 'three' })).rejects.toMatchObject({
      code: 'ROTATION_NOT_FOUND',
    });
  });
});
