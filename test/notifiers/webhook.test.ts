// Webhooks over real HTTP: what is posted, how it is signed, what is tried again, and that no secret is told.
import { createHmac } from 'node:crypto';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KeyturnError } from '../../src/errors.ts';
import { WebhookNotifier } from '../../src/notifiers/webhook.ts';
import type { Notification } from '../../src/rotation/notification.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../fakes/webhook-receiver.ts';

let receiver: WebhookReceiver;
beforeEach(async () => {
  receiver = await startWebhookReceiver();
});
afterEach(() => receiver.close());

const SECRET = 'a shared secret';
const notification: Notification = {
  id: 'run-1-1',
  at: '2026-01-01T00:00:00.000Z',
  state: 'gated',
  cluster: 'prod',
  rotationId: 'abc',
  workflowId: 'rotate-signing-key/prod',
  runId: 'run-1',
  phase: 'Signing',
  reason: 'It asks — at the gate "signing".',
  possible: ['approve', 'rollBack'],
};
const deliverTo = (
  url: string,
  options: { secret?: string; timeoutMs?: number } = {},
  signal = new AbortController().signal,
) =>
  new WebhookNotifier({ url, now: () => 1_767_225_600_999, ...options }).deliver(notification, { link: null, signal });
async function failureOf(delivery: Promise<void>): Promise<KeyturnError> {
  const error = await delivery.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(KeyturnError);
  return error as KeyturnError;
}

describe('a webhook', () => {
  it('posts JSON that a chat shows and a program reads', async () => {
    await deliverTo(receiver.url);
    const [request] = receiver.received;
    expect(request).toMatchObject({ method: 'POST', path: '/hooks/T0/s3cret-path' });
    expect(request!.headers).toMatchObject({ 'content-type': 'application/json', 'idempotency-key': 'run-1-1' });
    expect(JSON.parse(request!.body)).toMatchObject({
      text: expect.stringMatching(/^\*prod\* asks before it goes on in Signing\n/),
      cluster: 'prod',
      rotationId: 'abc',
      workflowId: 'rotate-signing-key/prod',
      state: 'gated',
      phase: 'Signing',
      reason: 'It asks — at the gate "signing".',
      possible: ['approve', 'rollBack'],
    });
  });

  it('is signed over time and body, byte for byte', async () => {
    await deliverTo(receiver.url, { secret: SECRET });
    const [{ headers, body }] = receiver.received as [(typeof receiver.received)[0]];
    const mac = createHmac('sha256', SECRET).update(`1767225600.${body}`, 'utf8').digest('hex');
    expect(headers['keyturn-signature']).toBe(`t=1767225600,v1=${mac}`);
  });

  it('has no signature where no secret is shared', async () => {
    await deliverTo(receiver.url);
    expect(receiver.received[0]!.headers).not.toHaveProperty('keyturn-signature');
  });

  it.each([500, 502, 503, 408, 429])('that is answered with %i is to be tried again', async (status) => {
    receiver.answer(status);
    expect(await failureOf(deliverTo(receiver.url))).toMatchObject({
      code: 'NOTIFICATION_UNDELIVERED',
      retryable: true,
    });
  });

  it.each([400, 401, 403, 404, 410, 422])('that is answered with %i is not', async (status) => {
    receiver.answer(status);
    expect(await failureOf(deliverTo(receiver.url))).toMatchObject({ code: 'NOTIFICATION_REFUSED', retryable: false });
  });

  it.each([301, 302, 307, 308])('follows no redirect (%i)', async (status) => {
    receiver.answer(status);
    expect(await failureOf(deliverTo(receiver.url, { secret: SECRET }))).toMatchObject({
      code: 'NOTIFICATION_REFUSED',
    });
    expect(receiver.received.map(({ path }) => path)).toEqual(['/hooks/T0/s3cret-path']);
  });

  it('does not wait for ever', async () => {
    receiver.answer('hang');
    expect(await failureOf(deliverTo(receiver.url, { timeoutMs: 100 }))).toMatchObject({
      code: 'NOTIFICATION_UNDELIVERED',
      message: expect.stringContaining('no answer within 100 ms'),
    });
  });

  it('ends when it is told to', async () => {
    receiver.answer('hang');
    expect(await failureOf(deliverTo(receiver.url, {}, AbortSignal.timeout(50)))).toMatchObject({ retryable: true });
  });

  it('that nobody listens to is to be tried again', async () => {
    await receiver.close();
    expect(await failureOf(deliverTo(receiver.url))).toMatchObject({
      code: 'NOTIFICATION_UNDELIVERED',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it.each([500, 400, 'hang'] as const)('tells neither secret nor path where it fails (%s)', async (answer) => {
    receiver.answer(answer);
    const error = await failureOf(deliverTo(receiver.url, { secret: SECRET, timeoutMs: 100 }));
    const told = inspect(error, { depth: 10 });
    expect(told).toContain('127.0.0.1');
    expect(told).not.toContain('s3cret-path');
    expect(told).not.toContain(SECRET);
  });
});

describe('an address', () => {
  it.each(['https://hooks.example/T0', 'http://127.0.0.1:8080/', 'http://localhost/', 'http://[::1]:9/'])(
    'may be %s',
    (url) => {
      expect(new WebhookNotifier({ url }).description).toBe(`webhook at ${new URL(url).host}`);
    },
  );

  it.each([
    'http://hooks.example/s3cret',
    'ftp://hooks.example/s3cret',
    'https://user:s3cret@hooks.example/',
    's3cret',
    'http://127.0.0.1.evil.example/s3cret',
  ])('may not be %s, and is not repeated', (url) => {
    const make = () => new WebhookNotifier({ url });
    let thrown: unknown;
    try {
      make();
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(inspect(thrown, { depth: 10 }).split('\n    at ')[0]).not.toContain('s3cret');
  });
});
