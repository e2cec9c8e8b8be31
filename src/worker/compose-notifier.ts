// The composition root of notifications: who is told, by what keyturn.yaml says.
import path from 'node:path';
import type { LoadedConfig } from '../config/load.ts';
import type { Notifier } from '../notifiers/port.ts';
import { WebhookNotifier } from '../notifiers/webhook.ts';
import { readSecret } from './read-secret.ts';

/**
 * Null where nobody is to be told.
 * @throws CONFIG_INVALID, FILE_UNREADABLE
 */
export async function composeNotifier({ file, notifications }: LoadedConfig): Promise<Notifier | null> {
  const webhook = notifications?.webhook;
  if (webhook === undefined) return null;
  const resolve = (name: string) => path.resolve(path.dirname(file), name);
  const { url, secret } = webhook;
  return new WebhookNotifier({
    url: typeof url === 'string' ? url : await readSecret(url, resolve),
    ...(secret === undefined ? {} : { secret: await readSecret(secret, resolve) }),
  });
}
