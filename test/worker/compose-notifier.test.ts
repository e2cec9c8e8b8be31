// From keyturn.yaml to a signed webhook, with the secrets where the file says they are.
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import type { Notification } from '../../src/rotation/notification.ts';
import { composeNotifier } from '../../src/worker/compose-notifier.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../fakes/webhook-receiver.ts';

let directory: string;
let receiver: WebhookReceiver;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'keyturn-notifier-'));
  receiver = await startWebhookReceiver();
});
afterEach(async () => {
  delete process.env['TEST_WEBHOOK_SECRET'];
  await receiver.close();
  await rm(directory, { recursive: true });
});

async function configured(notifications: string) {
  const file = path.join(directory, 'keyturn.yaml');
  const example = `
clusters:
  - name: prod
    platform: { type: static-pod, kubeconfig: ./kubeconfig, nodes: [{ name: node-1 }] }
    issuer: https://issuer.example/prod
    publisher: { type: azure-blob, container: https://acct.blob.core.windows.net/oidc }
    keyStore: { type: bring-your-own, privateKeyFile: ./sa.key }
${notifications}`;
  await writeFile(file, example);
  return loadConfig(file);
}

const notification: Notification = {
  id: 'run-1-1',
  at: '2026-01-01T00:00:00.000Z',
  state: 'completed',
  cluster: 'prod',
  rotationId: 'abc',
  workflowId: 'rotate-signing-key/prod',
  runId: 'run-1',
  phase: 'Retiring',
  reason: 'Tokens are signed with new.',
  possible: [],
};
const delivery = { link: null, signal: new AbortController().signal };

describe('notifications in keyturn.yaml', () => {
  it('are off where nothing is said', async () => {
    expect(await composeNotifier(await configured(''))).toBeNull();
  });

  it('post to the URL in a file, signed with the secret of an environment variable', async () => {
    await writeFile(path.join(directory, 'url'), `${receiver.url}\n`);
    await chmod(path.join(directory, 'url'), 0o600);
    process.env['TEST_WEBHOOK_SECRET'] = 's3cret';
    const config = await configured(
      'notifications: { webhook: { url: { file: ./url }, secret: { env: TEST_WEBHOOK_SECRET } } }',
    );
    await (await composeNotifier(config))?.deliver(notification, delivery);
    expect(receiver.received[0]?.headers['keyturn-signature']).toMatch(/^t=\d{10},v1=[0-9a-f]{64}$/);
  });

  it('stop the worker at its start where a secret is missing: a message that nobody can trust helps nobody', async () => {
    const config = await configured(
      `notifications: { webhook: { url: "${receiver.url}", secret: { env: TEST_WEBHOOK_SECRET } } }`,
    );
    await expect(composeNotifier(config)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('TEST_WEBHOOK_SECRET'),
    });
  });

  it('refuse an address without TLS', async () => {
    const config = await configured('notifications: { webhook: { url: "http://hooks.example/T0" } }');
    await expect(composeNotifier(config)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
