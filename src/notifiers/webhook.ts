// Posts notifications to a URL as JSON, signed, in the shape that chat services understand.
import { KeyturnError } from '../errors.ts';
import { notificationBody, type Notification } from '../rotation/notification.ts';
import type { DeliveryOptions, Notifier } from './port.ts';
import { signBody } from './webhook-signature.ts';

export interface WebhookOptions {
  /** https, or http on a loopback address. Often a secret itself: it is never shown, but for its host. */
  readonly url: string;
  /** Shared with the receiver. Default: bodies are not signed, as chat services whose URL is the secret expect it. */
  readonly secret?: string;
  /** For one request, in ms. Default 10 s. */
  readonly timeoutMs?: number;
  /** ms since the epoch */
  readonly now?: () => number;
}

const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'];

export class WebhookNotifier implements Notifier {
  readonly description: string;
  private readonly options: WebhookOptions;
  private readonly host: string;

  /** @throws CONFIG_INVALID for an address to which nothing may be posted */
  constructor(options: WebhookOptions) {
    this.options = options;
    this.host = hostOf(options.url);
    this.description = `webhook at ${this.host}`;
  }

  async deliver(notification: Notification, { link, signal }: DeliveryOptions): Promise<void> {
    const { url, secret, timeoutMs = 10_000, now = Date.now } = this.options;
    const body = JSON.stringify(notificationBody(notification, link));
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'keyturn',
      'idempotency-key': notification.id,
      ...(secret === undefined ? {} : { 'keyturn-signature': signBody(body, secret, Math.floor(now() / 1000)) }),
    };
    let status: number;
    try {
      const answer = await fetch(url, {
        method: 'POST',
        headers,
        body,
        // A redirect could lead the message, and its signature, anywhere.
        redirect: 'manual',
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
      status = answer.status;
      await answer.body?.cancel();
    } catch (error) {
      // Not as the cause: an error of fetch may name the URL.
      throw this.undelivered(reasonOf(error, timeoutMs));
    }
    if (status >= 200 && status < 300) return;
    if (status === 408 || status === 429 || status >= 500) throw this.undelivered(`it answered ${status}`);
    throw new KeyturnError('NOTIFICATION_REFUSED', `The ${this.description} refused a notification with ${status}`, {
      subject: this.host,
      remedy: 'Check notifications.webhook in keyturn.yaml and the receiver; redirects are not followed',
      details: { status },
    });
  }

  private undelivered(reason: string): KeyturnError {
    return new KeyturnError(
      'NOTIFICATION_UNDELIVERED',
      `The ${this.description} did not take a notification: ${reason}`,
      {
        subject: this.host,
        remedy: 'Check that it runs and that the worker may reach it; it is tried again for a day',
        retryable: true,
      },
    );
  }
}

function hostOf(url: string): string {
  // Whatever is wrong with it: the text is not repeated, it may be a secret.
  const parsed = URL.parse(url);
  const isAllowed =
    parsed !== null &&
    (parsed.protocol === 'https:' || (parsed.protocol === 'http:' && LOOPBACK.includes(parsed.hostname))) &&
    parsed.username === '' &&
    parsed.password === '';
  if (isAllowed) return parsed.host;
  throw new KeyturnError('CONFIG_INVALID', 'The address in notifications.webhook.url may not be posted to', {
    subject: 'notifications.webhook.url',
    remedy: 'Name an https URL without user and password; http is for loopback addresses only',
  });
}

function reasonOf(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return 'no answer';
  if (error.name === 'TimeoutError') return `no answer within ${timeoutMs} ms`;
  const { cause } = error;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : error.name;
}
