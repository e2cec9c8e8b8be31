// A rotation whose payloads are encrypted, on a real Temporal server: it stores no word of it, and people read it as before.
import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Client } from '@temporalio/client';
import { askRotation, resultOf } from '../../../src/cli/ask-rotation.ts';
import { readDataConverter } from '../../../src/worker/payload-encryption.ts';
import { approveUpdate, statusQuery } from '../../../src/workflows/messages.ts';
import { bundleWorkflows } from '../../workflows/rotation-harness.ts';
import {
  eventually,
  quickWorld,
  startDevServer,
  startRotation,
  startWorker,
  type DevServer,
} from './simulated-rotation.ts';

const REASON = 'acquisition-of-initech';
const TROUBLE = 'disk-of-initech-is-full';

let dev: DevServer;
beforeAll(async () => {
  dev = await startDevServer();
});
afterAll(() => dev.stop());

it('keeps reasons and errors from whoever reads the server, and from nobody else', async () => {
  process.env['KEYTURN_PAYLOAD_KEYS'] = `test:${randomBytes(32).toString('base64')}`;
  const dataConverter = await readDataConverter().finally(() => delete process.env['KEYTURN_PAYLOAD_KEYS']);
  if (dataConverter === null) throw new Error('no keys were read');
  const withKey = { ...dev, client: new Client({ connection: dev.client.connection, dataConverter }) };
  const world = quickWorld(500);
  const activities = world.activities();
  let isMended = false;
  const taskQueue = randomUUID();
  const worker = await startWorker(dev, {
    taskQueue,
    dataConverter,
    workflowBundle: await bundleWorkflows(undefined, dataConverter),
    activities: {
      ...activities,
      publishKey: async (input: Parameters<typeof activities.publishKey>[0]) => {
        if (!isMended) throw new Error(TROUBLE);
        return activities.publishKey(input);
      },
    },
  });
  try {
    const handle = await startRotation(withKey, taskQueue, { cluster: 'prod', reason: REASON, gates: ['signing'] });
    const troubled = await eventually(async () => {
      const answer = await askRotation(handle);
      return answer.retrying.length > 0 && answer;
    });
    expect(troubled.retrying[0]?.reason).toContain(TROUBLE);
    isMended = true;
    await eventually(async () => (await handle.query(statusQuery)).state === 'gated');
    await handle.executeUpdate(approveUpdate, { args: [{ reason: REASON }] });
    const audit = await resultOf(handle);
    expect(audit).toMatchObject({ outcome: 'completed', reason: REASON });

    // As the server stores it, asked by a client without the key.
    const stranger = dev.client.workflow.getHandle(handle.workflowId);
    const texts = JSON.stringify([await stranger.fetchHistory(), (await stranger.describe()).raw]);
    const stored = texts.replaceAll(
      /"([A-Za-z0-9+/]+=*)"/g,
      (text, base64: string) => text + Buffer.from(base64, 'base64').toString(),
    );
    expect(stored.includes('binary/keyturn-jwe')).toBe(true);
    for (const word of [REASON, TROUBLE]) expect(stored.includes(word), word).toBe(false);
    // The search would find them: the activity's name, which is not encrypted, and the payload's own encoding are found.
    expect(stored.includes('publishKey')).toBe(true);
  } finally {
    await worker.stop();
  }
});
