// Tells operators outside of Temporal what they should know, and is never in the rotation's way.
import { condition, ParentClosePolicy, startChild, workflowInfo } from '@temporalio/workflow';
import { notificationSummary, shortenReason, type Notification } from '../rotation/notification.ts';
import { notifier } from './activity-stubs.ts';
import { now } from './journal.ts';
import type { notifyOperators } from './notify-operators.ts';

/** What is not delivered when a run ends goes on without it; usually it is delivered at once. */
const LAST_WORD_MS = 10_000;

export type News = Pick<Notification, 'state' | 'cluster' | 'rotationId' | 'phase' | 'reason' | 'possible'>;

export class OperatorNews {
  private count = 0;

  /** Returns at once: the message is tried for a day, while the rotation goes on or waits. */
  tell(news: News): void {
    void deliver(this.compose(news));
  }

  /** The run ends after this, and takes its activities along: what is not delivered by then is left to a workflow of its own. */
  async tellLast(news: News): Promise<void> {
    const notification = this.compose(news);
    let settled = false;
    void deliver(notification).then(() => (settled = true));
    if (await condition(() => settled, LAST_WORD_MS, { summary: 'Deliver the last message' })) return;
    await startChild<typeof notifyOperators>('notifyOperators', {
      args: [notification],
      workflowId: `keyturn-notify/${notification.id}`,
      parentClosePolicy: ParentClosePolicy.ABANDON,
      staticSummary: notificationSummary(notification),
    });
  }

  private compose(news: News): Notification {
    const { workflowId, runId } = workflowInfo();
    this.count += 1;
    return {
      id: `${runId}-${this.count}`,
      at: now(),
      ...news,
      workflowId,
      runId,
      reason: shortenReason(news.reason),
    };
  }
}

/** Settles when it is delivered or given up: that it failed stands in the history and in the worker's log. */
async function deliver(notification: Notification): Promise<void> {
  const summary = notificationSummary(notification);
  await notifier.notify.executeWithOptions({ summary }, [notification]).catch(() => undefined);
}
