// The workflow that goes on telling how a rotation ended, where the receiver was away at that moment.
import type { Notification } from '../rotation/notification.ts';
import { notifier } from './activity-stubs.ts';

export async function notifyOperators(notification: Notification): Promise<void> {
  await notifier.notify(notification);
}
