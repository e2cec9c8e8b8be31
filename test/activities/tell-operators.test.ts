// The activity: what stands in the worker's log, what is posted, and what Temporal stores where it fails.
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger, type LogEntry } from '@temporalio/worker';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toFailure } from '../../src/activities/failure.ts';
import { tellOperators } from '../../src/activities/tell-operators.ts';
import { WebhookNotifier } from '../../src/notifiers/webhook.ts';
import type { Notification } from '../../src/rotation/notification.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../fakes/webhook-receiver.ts';

let receiver: WebhookReceiver;
let logged: LogEntry[];
beforeEach(async () => {
  receiver = await startWebhookReceiver();
  logged = [];
});
afterEach(() => receiver.close());

const held: Notification = {
  id: 'run-1-1',
  at: '2026-01-01T00:00:00.000Z',
  state: 'held',
  cluster: 'prod',
  rotationId: 'abc',
  workflowId: 'rotate-signing-key/prod',
  runId: 'run-1',
  phase: 'Signing',
  reason: 'sign/node-2: not ready',
  possible: ['retry', 'rollBack'],
};

async function tell(
  notification: Notification,
  { attempt = 1, webhook = true, temporalUi = null as string | null } = {},
) {
  const logger = new DefaultLogger('INFO', (entry) => void logged.push(entry));
  const environment = new MockActivityEnvironment({ attempt, namespace: 'keys' }, { logger });
  const notifier = webhook ? new WebhookNotifier({ url: receiver.url, secret: 's3cret' }) : null;
  await environment.run(async () => {
    try {
      await tellOperators({ notifier, temporalUi }, notification);
    } catch (error) {
      throw toFailure(error);
    }
  });
}

describe('telling operators', () => {
  it.each([
    ['held', 'WARN'],
    ['refused', 'WARN'],
    ['gated', 'INFO'],
    ['completed', 'INFO'],
    ['rolled-back', 'INFO'],
  ] as const)('logs %s as %s, once, also where no webhook is configured', async (state, level) => {
    await tell({ ...held, state }, { webhook: false });
    await tell({ ...held, state }, { webhook: false, attempt: 2 });
    expect(logged.map((entry) => entry.level)).toEqual([level]);
    expect(logged[0]).toMatchObject({
      message: expect.stringMatching(/^prod .* sign\/node-2: not ready$/),
      meta: { state, cluster: 'prod', rotationId: 'abc' },
    });
  });

  it('links to the run in the Temporal UI', async () => {
    await tell(held, { temporalUi: 'https://temporal.example/' });
    expect(JSON.parse(receiver.received[0]!.body)).toMatchObject({
      link: 'https://temporal.example/namespaces/keys/workflows/rotate-signing-key%2Fprod/run-1',
    });
  });

  it.each([
    [500, 'NOTIFICATION_UNDELIVERED', false],
    [404, 'NOTIFICATION_REFUSED', true],
  ] as const)(
    'answered with %i fails with %s; neither failure nor log has a secret',
    async (status, type, nonRetryable) => {
      receiver.answer(status);
      const failure = await tell(held).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(ApplicationFailure);
      expect(failure).toMatchObject({ type, nonRetryable });
      const { message, stack, details } = failure as ApplicationFailure;
      const stored = JSON.stringify([message, stack, details, logged], (_, value: unknown) =>
        typeof value === 'bigint' ? String(value) : value,
      );
      expect(stored).toContain('127.0.0.1');
      expect(stored).not.toContain('s3cret');
    },
  );
});
