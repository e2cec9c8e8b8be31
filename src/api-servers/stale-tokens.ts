// Asks one API server how often it was shown a token that its client should have reloaded.
import { KeyturnError } from '../errors.ts';
import type { StaleTokenCount } from '../rotation/slow-clients.ts';
import type { KubeClient } from './kube-client.ts';

/**
 * `serviceaccount_stale_tokens_total` of `/metrics`: requests with a token whose `warnafter` was over, an hour after it was minted. Never throws: evidence
 * that cannot be had is said to be missing.
 */
export async function readStaleTokenCount(node: string, client: KubeClient): Promise<StaleTokenCount> {
  let metrics: string;
  try {
    metrics = await client.read('/metrics');
  } catch (error) {
    if (error instanceof KeyturnError) return { node, unknown: error.message };
    throw error;
  }
  const count = numberOf(metrics, 'serviceaccount_stale_tokens_total');
  const started = numberOf(metrics, 'process_start_time_seconds');
  if (count === null || started === null)
    return { node, unknown: 'its /metrics has no serviceaccount_stale_tokens_total' };
  return { node, count, startedAtMs: Math.round(started * 1000) };
}

function numberOf(metrics: string, name: string): number | null {
  const text = new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1];
  return text === undefined || Number.isNaN(Number(text)) ? null : Number(text);
}
