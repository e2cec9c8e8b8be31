// Switches a node's kube-controller-manager between the former private key and the new one.
import type { Kid, KeyRef } from '../../../rotation/key.ts';
import type { NodeLayout } from '../../../rotation/observation.ts';
import type { NodeChange, StepControl } from '../../port.ts';
import { changeManifest } from '../change-manifest.ts';
import type { Effect, Timing } from '../change-manifest.ts';
import { bringPrivateKey, findKeyFiles, readKeyFile } from '../key-files.ts';
import { besideOf } from '../layout.ts';
import { kidOfControllerManager, manifestSteps } from './manifest-steps.ts';
import type { Edit } from './manifest-steps.ts';
import { manifestPath, readManifest } from '../node-manifests.ts';
import type { ControlPlaneNode } from '../node-manifests.ts';

/** `process_start_time_seconds` may be this much too early: Linux tells its boot in whole seconds. */
const START_TIME_ERROR_MS = 1000;

/** @throws KEY_NOT_FOUND where Signing has not brought the private key yet; MANIFEST_REFUSED */
export async function switchControllerManager(
  node: ControlPlaneNode,
  layout: NodeLayout,
  next: KeyRef,
  timing: Timing,
  control: StepControl,
): Promise<NodeChange> {
  if (layout.controllerManagerKeyFile === null) return nothingToSwitch(node);
  await bringToControllerManager(node, layout, next.kid);
  const steps = manifestSteps(layout, next.kid);
  return change(node, steps.switchControllerManager, steps.restoreControllerManager, timing, control);
}

/** @throws FILE_CHANGED where the flag names a file that is neither the rotation's nor the layout's; MANIFEST_REFUSED */
export async function restoreControllerManager(
  node: ControlPlaneNode,
  layout: NodeLayout,
  timing: Timing,
  control: StepControl,
): Promise<NodeChange> {
  if (layout.controllerManagerKeyFile === null) return nothingToSwitch(node);
  const kid = kidOfControllerManager(await readManifest(node, 'kube-controller-manager'), layout);
  if (kid === null) return change(node, asItIs, asItIs, timing, control);
  const steps = manifestSteps(layout, kid);
  return change(node, steps.restoreControllerManager, steps.switchControllerManager, timing, control);
}

/** The file named by kid lies beside the API server's key; the controller manager may read its own from another directory. */
async function bringToControllerManager(node: ControlPlaneNode, layout: NodeLayout, next: Kid): Promise<void> {
  const { signing, controllerManager } = await findKeyFiles(node, layout);
  const { content } = await readKeyFile(node, besideOf(signing, next, 'key'));
  if (controllerManager !== null) await bringPrivateKey(node, controllerManager, { kid: next, privatePem: content });
}

async function change(
  node: ControlPlaneNode,
  edit: Edit,
  inverse: Edit,
  timing: Timing,
  control: StepControl,
): Promise<NodeChange> {
  const effect = await restarted(node);
  return changeManifest(
    node,
    { component: 'kube-controller-manager', edit, inverse, effect, formerEffect: effect },
    timing,
    control,
  );
}

/**
 * The running process is well, and has begun after the manifest was written. Both times are of the node's own clock. That holds for a call
 * which finds the manifest changed by one that died, too: whatever began later has read it. If this call has written the manifest, the
 * process must besides be another one than before, which takes away the second that a start time may be wrong by.
 */
async function restarted(node: ControlPlaneNode): Promise<Effect> {
  const { controllerManager: probe } = node;
  if (probe === undefined) return async () => ({ proof: unasked(node) });
  const before = await probe.startTime();
  // Well, but silent about its start: these credentials may not read its metrics. No reason to put anything back.
  if (before === undefined && (await probe.healthy()) && (await probe.startTime()) === undefined) {
    return async () => ({ proof: unasked(node) });
  }
  return async ({ inPlace, written }) => {
    if (!inPlace) return { missing: 'the manifest is not in place yet' };
    const startedAtMs = await probe.startTime();
    if (startedAtMs === undefined) return { missing: 'the controller manager does not answer' };
    const since = (await node.files.read(manifestPath(node, 'kube-controller-manager')))?.modifiedAtMs ?? Infinity;
    const isFormer = startedAtMs + START_TIME_ERROR_MS < since || (written && startedAtMs === before);
    const began = new Date(startedAtMs).toISOString();
    if (isFormer) return { missing: `the process that began at ${began} still runs` };
    if (!(await probe.healthy())) return { missing: `the process that began at ${began} is not healthy` };
    return {
      proof: `the controller manager of ${node.name} runs since ${began}, later than its manifest, and is healthy`,
    };
  };
}

function unasked(node: ControlPlaneNode): string {
  return `the manifest of ${node.name} is as asked; its controller manager cannot be asked from here since when it runs, so Pruning proves the leader by a minted Secret`;
}

function nothingToSwitch(node: ControlPlaneNode): NodeChange {
  const proof = `the controller manager of ${node.name} has no --service-account-private-key-file: it signs no tokens`;
  return { node: node.name, changed: false, restartMs: 0, proof };
}

function asItIs({ source }: { readonly source: string }): string {
  return source;
}
