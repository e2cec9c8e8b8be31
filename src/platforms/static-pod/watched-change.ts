// A change that a watchdog on the node takes back by itself, where the node cannot be reached while its own API server is away.
import { createHash } from 'node:crypto';
import { KeyturnError } from '../../errors.ts';
import type { PutBack } from '../../nodes/port.ts';
import type { StepControl } from '../port.ts';
import type { FilePutBack, Timing } from './change-manifest.ts';
import { readManifest } from './node-manifests.ts';
import type { ControlPlaneNode, StoredManifest } from './node-manifests.ts';
import { patienceOf, waitFor } from '../../wait-for.ts';
import type { Sighting } from '../../wait-for.ts';

/** Part of the time for an effect after which the watchdog acts: before we stop waiting, so that its work is found done. */
const WATCHDOG_PART = 0.9;

/**
 * @param manifest as it is to be, or is already
 * @param former source that it gets back
 * @param files as the change has written them, with what they get back; before the manifest
 * @throws NODE_UNREACHABLE and what else keeps the watchdog from being armed: the manifest must not be changed then
 */
export async function armWatchdog(
  node: ControlPlaneNode,
  manifest: StoredManifest,
  former: string,
  files: readonly FilePutBack[] = [],
  timing: Timing,
): Promise<void> {
  const { watchdog } = node.files;
  if (watchdog === undefined) return;
  const putBacks: PutBack[] = [];
  for (const { path, content, as } of files) {
    const written = await node.files.read(path);
    const { mode, uid, gid } = as;
    if (written !== undefined) putBacks.push({ path, content, mode, uid, gid, onlyIfSha256: written.sha256 });
  }
  const { mode, uid, gid } = manifest.file;
  const onlyIfSha256 = createHash('sha256').update(manifest.source).digest('hex');
  putBacks.push({ path: manifest.path, content: former, mode, uid, gid, onlyIfSha256 });
  await watchdog.arm(putBacks, timing.readyTimeoutMs * WATCHDOG_PART);
}

/**
 * A change is proven only when nothing can take it back any more. An API server that has just come may not have told its kubelet yet that we
 * may reach the node: that is waited for, and if it lasts, the watchdog acts.
 */
export async function keepChange(
  node: ControlPlaneNode,
  manifest: StoredManifest,
  shown: Sighting,
  timing: Timing,
  control: StepControl,
): Promise<Sighting> {
  const { watchdog } = node.files;
  if (watchdog === undefined || 'missing' in shown) return shown;
  const settle = async (): Promise<Sighting> => {
    try {
      if (await watchdog.disarm()) return shown;
      const { source } = await readManifest(node, manifest.component);
      return source === manifest.source ? shown : { proof: '' };
    } catch (error) {
      if (error instanceof KeyturnError && error.retryable) return { missing: error.message };
      throw error;
    }
  };
  const what = `${manifest.component} of ${node.name}: ${shown.proof}; waiting until its watchdog can be told`;
  const settled = await waitFor(settle, patienceOf(timing, timing.readyTimeoutMs, control, what));
  if ('missing' in settled || settled === shown) return settled;
  return { missing: `${shown.proof}, but too late: the watchdog on the node had put the former manifest back` };
}

/** True where the manifest is put back without us. */
export function reliesOnWatchdog({ files }: ControlPlaneNode, error: KeyturnError): boolean {
  return files.watchdog !== undefined && error.code === 'NODE_UNREACHABLE';
}

/** Once everything is put back. Where the node is still away its watchdog finds nothing to do, and forgets what it holds. */
export async function disarmIfReached({ files }: ControlPlaneNode): Promise<void> {
  try {
    await files.watchdog?.disarm();
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
  }
}
