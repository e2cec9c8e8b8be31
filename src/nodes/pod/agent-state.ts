// What an agent pod's status says: can it be used, is it worth waiting for, must it be replaced?
import { z } from 'zod';
import { EXIT } from '../shell/scripts.ts';
import { lastLine } from '../shell/shell-errors.ts';
import { AGENT_LIFETIME_S } from './agent-manifest.ts';

const ended = z.object({ exitCode: z.number(), reason: z.string().nullish(), message: z.string().nullish() });
const stateSchema = z.object({
  running: z.object({}).nullish(),
  waiting: z.object({ reason: z.string().nullish(), message: z.string().nullish() }).nullish(),
  terminated: ended.nullish(),
});

export const podSchema = z.object({
  metadata: z.object({
    name: z.string(),
    creationTimestamp: z.string(),
    deletionTimestamp: z.string().nullish(),
    labels: z.record(z.string(), z.string()).nullish(),
    annotations: z.record(z.string(), z.string()).nullish(),
  }),
  status: z
    .object({
      phase: z.string().nullish(),
      reason: z.string().nullish(),
      message: z.string().nullish(),
      containerStatuses: z
        .array(z.object({ state: stateSchema.nullish(), lastState: stateSchema.nullish() }))
        .nullish(),
    })
    .nullish(),
});

export type Pod = z.infer<typeof podSchema>;

export type PodVerdict =
  | { readonly state: 'runs' }
  /** Worth waiting for. `lack`: what it waits for. */
  | { readonly state: 'starts'; readonly lack: string }
  /** Being deleted. */
  | { readonly state: 'ends' }
  /** Has ended, or will soon: evicted, past its time, its node rebooted. */
  | { readonly state: 'spent' }
  /** Will not start as it is configured. */
  | { readonly state: 'broken'; readonly reason: string; readonly missingCommands?: string };

/** An agent in the last quarter of its time is not begun with: a step takes minutes. */
const USABLE_FOR_MS = AGENT_LIFETIME_S * 750;

/**
 * Reasons for which kubelet goes on trying, in vain until somebody changes something. That a container cannot be configured, created or run is
 * none of them: an agent names no ConfigMap and no Secret, so it is a node that is busy, or that comes up again ("services have not yet been read").
 */
const HOPELESS = ['InvalidImageName', 'ErrImageNeverPull'];

/** @param nowMs by the worker's clock, which may differ from the cluster's by seconds */
export function judgePod({ metadata, status }: Pod, nowMs: number): PodVerdict {
  if (metadata.deletionTimestamp != null) return { state: 'ends' };
  const phase = status?.phase ?? 'Pending';
  if (phase === 'Failed' || phase === 'Succeeded') return { state: 'spent' };
  if (nowMs - Date.parse(metadata.creationTimestamp) > USABLE_FOR_MS) return { state: 'spent' };
  const [container] = status?.containerStatuses ?? [];
  const state = container?.state;
  if (phase === 'Running' && state?.running != null) return { state: 'runs' };
  const exit = state?.terminated ?? container?.lastState?.terminated;
  if (exit?.exitCode === EXIT.commandMissing) {
    return { state: 'broken', reason: 'commands are missing', missingCommands: lastLine(exit.message ?? '') };
  }
  const waiting = state?.waiting;
  const words = [waiting?.reason ?? exit?.reason, waiting?.message ?? exit?.message].filter(Boolean).join(': ');
  if (waiting?.reason != null && HOPELESS.includes(waiting.reason)) return { state: 'broken', reason: words };
  return { state: 'starts', lack: words || status?.message || 'kubelet has not started it yet' };
}
