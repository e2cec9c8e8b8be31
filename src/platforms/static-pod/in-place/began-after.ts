// Proof that a component has read its key files: its process began after they and its manifest were written, and shows what they hold.
import { manifestPath } from '../node-manifests.ts';
import type { ControlPlaneNode } from '../node-manifests.ts';
import type { Effect, Moment, Timing } from '../change-manifest.ts';
import type { Component } from '../manifest.ts';
import type { Sighting } from '../../../wait-for.ts';

/** `process_start_time_seconds` may be this much too early: Linux tells its boot in whole seconds. */
const START_TIME_ERROR_MS = 1000;

/** One process of a node's control plane. */
export interface ComponentProcess {
  readonly component: Component;
  /** Key files that it reads, as paths on the node. */
  readonly keyFiles: readonly string[];
  /** When it began, ms since the epoch by the node's clock; undefined where it does not answer, or does not say. */
  startTime(): Promise<number | undefined>;
  /** That it is well, and serves what its files hold as far as that can be seen. */
  readonly serves: Effect;
  /** That it is well, whatever keys it has read. */
  readonly runs: Effect;
  /** What is proven where it serves, but does not say when it began: `serves` at once, or only after a while without a break. */
  readonly silent: 'at-once' | 'lasting';
}

/** Looks once. `silent` where only its start is not known. */
export type Look = (moment: Moment) => Promise<Sighting & { readonly silent?: true }>;

/**
 * All times are of the node's own clock. That holds for a call which takes up one that died, too: whatever began later has read it all. If
 * this call has written the manifest, the process must besides be another one than before.
 */
export function beganAfter(node: ControlPlaneNode, process: ComponentProcess): Look {
  let before: number | undefined;
  return async (moment) => {
    if (!moment.inPlace) {
      before = await process.startTime();
      return noRestartToCome(node, process, before);
    }
    const served = await process.serves(moment);
    if ('missing' in served) return served;
    const startedAtMs = await process.startTime();
    if (startedAtMs === undefined) return { ...served, silent: true };
    const since = await writtenAtMs(node, process);
    const isFormer = startedAtMs + START_TIME_ERROR_MS < since || (moment.written && startedAtMs === before);
    const began = new Date(startedAtMs).toISOString();
    if (isFormer) return { missing: `the process that began at ${began} still runs` };
    return { proof: `${served.proof}; it runs since ${began}, later than its files were written` };
  };
}

/** A restart that an earlier manifest causes may still be to come: it must be over before it could be taken for ours. */
async function noRestartToCome(
  node: ControlPlaneNode,
  { component }: ComponentProcess,
  startedAtMs: number | undefined,
): Promise<Sighting> {
  const manifest = await node.files.read(manifestPath(node, component));
  if (startedAtMs === undefined || manifest === undefined) return { missing: 'does not say when it began' };
  return startedAtMs + START_TIME_ERROR_MS < manifest.modifiedAtMs
    ? { proof: 'has begun before its present manifest was written' }
    : { missing: 'has begun after its present manifest was written' };
}

/** When the last of what the process reads was written. */
async function writtenAtMs(node: ControlPlaneNode, { component, keyFiles }: ComponentProcess): Promise<number> {
  const times: number[] = [];
  for (const path of [manifestPath(node, component), ...keyFiles]) {
    times.push((await node.files.read(path))?.modifiedAtMs ?? Infinity);
  }
  return Math.max(...times);
}

/**
 * @param which `new-process`: one that began after what this call has written; `any-process`: also one that never ended, and serves for so
 * long without a break that kubelet must have noticed whatever manifest is there
 */
export function proven(
  node: ControlPlaneNode,
  process: ComponentProcess,
  { clock, noticeMs }: Pick<Timing, 'clock' | 'noticeMs'>,
  which: 'new-process' | 'any-process',
): Effect {
  const look = beganAfter(node, process);
  let since: number | undefined;
  return async (moment) => {
    const seen = await look(moment);
    const isProof = 'proof' in seen;
    if (!moment.inPlace || (isProof && (seen.silent !== true || process.silent === 'at-once'))) return seen;
    const lasts = isProof || which === 'any-process' || !moment.written;
    const weaker = isProof || !lasts ? seen : await process.serves(moment);
    since = lasts && 'proof' in weaker ? (since ?? clock.now()) : undefined;
    if (since !== undefined && clock.now() - since >= noticeMs) return weaker;
    return isProof ? { missing: `${seen.proof}; waiting whether it starts again` } : seen;
  };
}
