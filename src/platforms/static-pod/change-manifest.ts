// Changes one manifest, waits until the component shows the effect, and puts the former manifest back where it does not come.
import { KeyturnError } from '../../errors.ts';
import type { NodeChange, StepControl } from '../port.ts';
import { waitForDoublesToGo } from './double-manifests.ts';
import { ensureFile } from './key-files.ts';
import type { Component, Manifest } from './manifest.ts';
import { readManifest, writeManifest } from './node-manifests.ts';
import type { ControlPlaneNode, StoredManifest } from './node-manifests.ts';
import { patienceOf, waitFor } from '../../wait-for.ts';
import type { Clock, Sighting } from '../../wait-for.ts';
import { armWatchdog, disarmIfReached, keepChange, reliesOnWatchdog } from './watched-change.ts';

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

/** A file that a change has written besides the manifest, as it was before. Its content may be a secret. */
export interface FilePutBack {
  readonly path: string;
  readonly content: string;
  readonly as: { readonly mode: number; readonly uid: number; readonly gid: number };
}

export interface ManifestChange {
  readonly component: Component;
  /** The source as it shall be. Pure; the same source where it is so already. */
  readonly edit: (manifest: Manifest) => string;
  /** Undoes `edit` on what is there then: a call that takes up another's work never saw the former source. */
  readonly inverse: (manifest: Manifest) => string;
  readonly effect: Effect;
  /** What is seen when the former manifest runs again. */
  readonly formerEffect: Effect;
  /** Files that are put back before the former manifest is, in this order. They are right under both manifests. */
  readonly files?: readonly FilePutBack[];
  /** Brings other files back to what they were, once the former manifest runs again. Tells what it did. */
  readonly afterPutBack?: () => Promise<string>;
}

/**
 * @throws MANIFEST_REFUSED where the effect does not come in time; the former manifest is back then
 * @throws MANIFEST_UNSUPPORTED where another file in the folder would start the same pod
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
  // Of a call that died: from here on this one answers for the node.
  await node.files.watchdog?.disarm();
  const present = await readManifest(node, change.component);
  const source = change.edit(present);
  const manifest = { ...present, source };
  const written = source !== present.source;
  const look = (): Promise<Sighting> => change.effect({ manifest, inPlace: true, written });
  if (written) {
    await waitForDoublesToGo(node, present, timing, control);
    await waitForOldEffect(node, change, manifest, timing, control);
    control.signal.throwIfAborted();
  } else {
    const sighting = await look();
    if ('proof' in sighting) return { node: node.name, changed: false, restartMs: 0, proof: sighting.proof };
  }
  await armWatchdog(node, manifest, written ? present.source : change.inverse(present), change.files, timing);
  if (written) await writeManifest(node, present, source);
  const startedAt = timing.clock.now();
  const what = `${change.component} of ${node.name}`;
  const shown = await waitFor(
    look,
    patienceOf(timing, timing.readyTimeoutMs, control, `${what}: waiting for the effect of its manifest`),
  );
  const sighting = await keepChange(node, manifest, shown, timing, control);
  if ('missing' in sighting) throw await putBack(node, change, manifest, sighting.missing, timing, control);
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
  await waitFor(gone, patienceOf(timing, timing.noticeMs, control, what));
}

async function putBack(
  node: ControlPlaneNode,
  change: ManifestChange,
  written: StoredManifest,
  reason: string,
  timing: Timing,
  control: StepControl,
): Promise<KeyturnError> {
  const what = `${change.component} of ${node.name}`;
  control.report(`${what}: ${reason}; putting the former manifest back`);
  const { manifest, byWatchdog } = await restoreManifest(node, change, written, reason);
  const back = await waitFor(
    () => change.formerEffect({ manifest, inPlace: true, written: true }),
    patienceOf(timing, timing.readyTimeoutMs, control, `${what}: waiting until it runs with its former manifest again`),
  );
  const runsAgain = 'proof' in back;
  const files = runsAgain ? ((await change.afterPutBack?.()) ?? '') : '';
  await disarmIfReached(node);
  const manifestBack = runsAgain || !byWatchdog;
  const whose = manifestBack
    ? 'The former manifest is back'
    : 'The watchdog on the node was to put the former one back';
  const end = runsAgain
    ? `it runs with it again (${back.proof})`
    : `but it does not run as before yet: ${back.missing}`;
  return new KeyturnError(
    'MANIFEST_REFUSED',
    `${what} did not come with its changed manifest within ${timing.readyTimeoutMs / 1000} s (last: ${reason}). ${whose}, ${end}${files}`,
    {
      subject: manifest.subject,
      remedy: `Read the log of ${change.component} and of kubelet on ${node.name}, then resume or roll back`,
      details: { node: node.name, waitedMs: timing.readyTimeoutMs, lastReason: reason, manifestBack, runsAgain },
    },
  );
}

/**
 * A node that cannot be reached is left to its watchdog, which still waits: whoever of the two is first, the other finds nothing to do.
 * @throws what kept the manifest from being put back, saying so
 */
async function restoreManifest(
  node: ControlPlaneNode,
  change: ManifestChange,
  written: StoredManifest,
  reason: string,
): Promise<{ readonly manifest: StoredManifest; readonly byWatchdog: boolean }> {
  try {
    for (const { path, content, as } of change.files ?? []) await ensureFile(node, path, content, as);
    const present = await readManifest(node, change.component);
    const source = change.inverse(present);
    if (source !== present.source) await writeManifest(node, present, source);
    return { manifest: { ...present, source }, byWatchdog: false };
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    if (reliesOnWatchdog(node, error)) {
      return { manifest: { ...written, source: change.inverse(written) }, byWatchdog: true };
    }
    const { code, subject, remedy, retryable, details } = error;
    const problem = `${change.component} of ${node.name} did not come with its changed manifest (last: ${reason}), and the former one could not be put back: ${error.message}`;
    throw new KeyturnError(code, problem, { subject, remedy, retryable, details, cause: error });
  }
}
