// Changes one manifest, waits until the component shows the effect, and puts the former manifest back where it does not come.
import { KeyturnError } from '../../errors.ts';
import type { NodeChange, StepControl } from '../port.ts';
import type { Component, Manifest } from './manifest.ts';
import { readManifest, writeManifest } from './node-manifests.ts';
import type { ControlPlaneNode, StoredManifest } from './node-manifests.ts';
import { waitFor } from './wait-for.ts';
import type { Clock, Patience, Sighting } from './wait-for.ts';

export interface Timing {
  readonly clock: Clock;
  /** How long a component may take to show the effect of its manifest, in ms. */
  readonly readyTimeoutMs: number;
  /** How long kubelet may take to notice a manifest, in ms: its relist (20 s by default) and some. */
  readonly noticeMs: number;
  readonly pollMs: number;
}

/** When an effect is looked for. */
export interface Moment {
  /** The manifest whose effect is asked for. */
  readonly manifest: Manifest;
  /** False while that manifest is not in place yet. */
  readonly inPlace: boolean;
  /** True if this call has put it in place; false if it was there already. */
  readonly written: boolean;
}

/** Looks once. Never throws for a component that does not answer. */
export type Effect = (moment: Moment) => Promise<Sighting>;

export interface ManifestChange {
  readonly component: Component;
  /** The source as it shall be. Pure; the same source where it is so already. */
  readonly edit: (manifest: Manifest) => string;
  /** Undoes `edit` on what is there then: a call that takes up another's work never saw the former source. */
  readonly inverse: (manifest: Manifest) => string;
  readonly effect: Effect;
  /** What is seen when the former manifest runs again. */
  readonly formerEffect: Effect;
  /** Brings other files into a state that is right under both manifests, before the former one is put back. */
  readonly beforePutBack?: () => Promise<void>;
  /** Brings other files back to what they were, once the former manifest runs again. Tells what it did. */
  readonly afterPutBack?: () => Promise<string>;
}

/**
 * @throws MANIFEST_REFUSED where the effect does not come in time; the former manifest is back then
 * @throws FILE_CHANGED (retryable) where another changes the manifest at the same moment
 * @throws the signal's reason where the step is stopped: the manifest stays as it is, and the next call goes on from there
 */
export async function changeManifest(
  node: ControlPlaneNode,
  change: ManifestChange,
  timing: Timing,
  control: StepControl,
): Promise<NodeChange> {
  control.signal.throwIfAborted();
  const present = await readManifest(node, change.component);
  const source = change.edit(present);
  const manifest = { ...present, source };
  const written = source !== present.source;
  if (written) {
    await waitForOldEffect(node, change, manifest, timing, control);
    control.signal.throwIfAborted();
    await writeManifest(node, present, source);
  }
  const startedAt = timing.clock.now();
  const what = `${change.component} of ${node.name}`;
  const sighting = await waitFor(
    () => change.effect({ manifest, inPlace: true, written }),
    patience(timing, timing.readyTimeoutMs, control, `${what}: waiting for the effect of its manifest`),
  );
  if ('missing' in sighting) throw await putBack(node, change, sighting.missing, timing, control);
  const restartMs = written ? timing.clock.now() - startedAt : 0;
  return { node: node.name, changed: written, restartMs, proof: sighting.proof };
}

/**
 * Effects prove a change only if the process that runs now does not show them. It does where a change that was taken back a moment ago
 * (a run that died) is asked for again before kubelet has noticed: then a restart is still to come, and the next node must not be touched
 * yet. Where the process stays as it is for longer than kubelet needs, no restart is to come.
 */
async function waitForOldEffect(
  node: ControlPlaneNode,
  change: ManifestChange,
  manifest: Manifest,
  timing: Timing,
  control: StepControl,
): Promise<void> {
  const gone = async (): Promise<Sighting> => {
    const sighting = await change.effect({ manifest, inPlace: false, written: false });
    return 'missing' in sighting ? { proof: sighting.missing } : { missing: sighting.proof };
  };
  const what = `${change.component} of ${node.name}: waiting until kubelet has noticed its present manifest`;
  await waitFor(gone, patience(timing, timing.noticeMs, control, what));
}

async function putBack(
  node: ControlPlaneNode,
  change: ManifestChange,
  reason: string,
  timing: Timing,
  control: StepControl,
): Promise<KeyturnError> {
  const what = `${change.component} of ${node.name}`;
  control.report(`${what}: ${reason}; putting the former manifest back`);
  const manifest = await restoreManifest(node, change, reason);
  const back = await waitFor(
    () => change.formerEffect({ manifest, inPlace: true, written: true }),
    patience(timing, timing.readyTimeoutMs, control, `${what}: waiting until it runs with its former manifest again`),
  );
  const runsAgain = 'proof' in back;
  const files = runsAgain ? ((await change.afterPutBack?.()) ?? '') : '';
  const end = runsAgain
    ? `it runs with it again (${back.proof})`
    : `but it does not run as before yet: ${back.missing}`;
  return new KeyturnError(
    'MANIFEST_REFUSED',
    `${what} did not come with its changed manifest within ${timing.readyTimeoutMs / 1000} s (last: ${reason}). The former manifest is back, ${end}${files}`,
    {
      subject: manifest.subject,
      remedy: `Read the log of ${change.component} and of kubelet on ${node.name}, then resume or roll back`,
      details: { node: node.name, waitedMs: timing.readyTimeoutMs, lastReason: reason, manifestBack: true, runsAgain },
    },
  );
}

/** @throws what kept the manifest from being put back, saying so */
async function restoreManifest(
  node: ControlPlaneNode,
  change: ManifestChange,
  reason: string,
): Promise<StoredManifest> {
  try {
    await change.beforePutBack?.();
    const present = await readManifest(node, change.component);
    const source = change.inverse(present);
    if (source !== present.source) await writeManifest(node, present, source);
    return { ...present, source };
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    const { code, subject, remedy, retryable, details } = error;
    const problem = `${change.component} of ${node.name} did not come with its changed manifest (last: ${reason}), and the former one could not be put back: ${error.message}`;
    throw new KeyturnError(code, problem, { subject, remedy, retryable, details, cause: error });
  }
}

function patience(timing: Timing, timeoutMs: number, { signal, report }: StepControl, what: string): Patience {
  const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
  return {
    clock: timing.clock,
    timeoutMs,
    pollMs: timing.pollMs,
    signal,
    onMissing: (missing, waitedMs) => report(`${what}, ${seconds(waitedMs)} of ${seconds(timeoutMs)}: ${missing}`),
  };
}
