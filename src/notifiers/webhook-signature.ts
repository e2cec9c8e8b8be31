// The signature of a webhook's body, by which its receiver knows that it is ours and how old it is.
import { createHmac } from 'node:crypto';

/**
 * `t=<s since the epoch>,v1=<HMAC-SHA-256 of "t.body" in hex>`: the scheme of Stripe's webhooks, for which receivers have code.
 * A receiver computes the same, compares in constant time, and refuses what is older than some minutes.
 */
export function signBody(body: string, secret: string, timestampS: number): string {
  const mac = createHmac('sha256', secret).update(`${timestampS}.${body}`).digest('hex');
  return `t=${timestampS},v1=${mac}`;
}
