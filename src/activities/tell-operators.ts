// Tells operators: in the worker's log always, and at the receiver, where one is configured.
import { activityInfo, cancellationSignal, log } from '@temporalio/activity';
import type { Notifier } from '../notifiers/port.ts';
import { notificationSentence, type Notification } from '../rotation/notification.ts';

export interface NewsDesk {
  /** Null where nobody is to be told. */
  readonly notifier: Notifier | null;
  /** Address of the Temporal UI, for links; null where it is not configured. */
  readonly temporalUi: string | null;
}

export async function tellOperators({ notifier, temporalUi }: NewsDesk, notification: Notification): Promise<void> {
  const { attempt, namespace } = activityInfo();
  const { state, cluster, rotationId, possible } = notification;
  if (attempt === 1) {
    const facts = { state, cluster, rotationId, possible };
    if (state === 'held' || state === 'refused') log.warn(notificationSentence(notification), facts);
    else log.info(notificationSentence(notification), facts);
  }
  if (notifier === null) return;
  const link = temporalUi === null ? null : linkTo(temporalUi, namespace, notification);
  await notifier.deliver(notification, { link, signal: cancellationSignal() });
}

function linkTo(ui: string, namespace: string, { workflowId, runId }: Notification): string {
  const path = ['namespaces', namespace, 'workflows', workflowId, runId].map(encodeURIComponent).join('/');
  return `${ui.replace(/\/$/, '')}/${path}`;
}
