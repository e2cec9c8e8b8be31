// Where operators are told what they should know: one way, to people or programs outside of Temporal.
import type { Notification } from '../rotation/notification.ts';

export interface Notifier {
  /** For logs: tells receivers apart, and gives no secret away. */
  readonly description: string;
  /**
   * Delivers it once more each time: the receiver tells repetitions by `notification.id`.
   * @throws NOTIFICATION_UNDELIVERED (retryable), NOTIFICATION_REFUSED (not)
   */
  deliver(notification: Notification, options: DeliveryOptions): Promise<void>;
}

export interface DeliveryOptions {
  /** The rotation in the Temporal UI; null where that is not known. */
  readonly link: string | null;
  readonly signal: AbortSignal;
}
