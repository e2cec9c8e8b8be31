// Another file beside a manifest that starts the same pod: what an editor or a back-up left in kubelet's folder.
import { posix } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { KeyturnError } from '../../errors.ts';
import type { StepControl } from '../port.ts';
import type { Timing } from './change-manifest.ts';
import type { Component, Manifest } from './manifest.ts';
import type { ControlPlaneNode } from './node-manifests.ts';
import { patienceOf, waitFor } from '../../wait-for.ts';

/** Of kubeadm: looked into neither for nor against. */
const KNOWN_FILES = ['etcd.yaml', 'kube-apiserver.yaml', 'kube-controller-manager.yaml', 'kube-scheduler.yaml'];

/**
 * kubelet reads every file of its folder whose name does not begin with a dot, whatever the ending. Of two with the same pod it runs one, and
 * starts the other when that one ends: after an edit of the manifest it would be the forgotten copy that comes up.
 * @throws MANIFEST_UNSUPPORTED
 */
export async function refuseDoubles(node: ControlPlaneNode, manifest: Manifest): Promise<void> {
  const path = await findDouble(node, manifest);
  if (path !== undefined) throw doubled(`${node.name}:${path}`, manifest.component);
}

/** A temporary file that an editor is about to rename is gone in a moment. @throws MANIFEST_UNSUPPORTED where it stays */
export async function waitForDoublesToGo(
  node: ControlPlaneNode,
  manifest: Manifest,
  timing: Timing,
  control: StepControl,
): Promise<void> {
  let found: string | undefined;
  const look = async () => {
    found = await findDouble(node, manifest);
    return found === undefined ? { proof: '' } : { missing: `${found} is another manifest of the same pod` };
  };
  const what = `${manifest.component} of ${node.name}: waiting until its manifest is the only one`;
  await waitFor(look, patienceOf(timing, timing.noticeMs, control, what));
  if (found !== undefined) throw doubled(`${node.name}:${found}`, manifest.component);
}

async function findDouble(node: ControlPlaneNode, manifest: Manifest): Promise<string | undefined> {
  const own = podNames(manifest.source);
  for (const name of await node.files.list(node.manifestsDirectory)) {
    if (name.startsWith('.') || KNOWN_FILES.includes(name)) continue;
    const path = posix.join(node.manifestsDirectory, name);
    const text = await readText(node, path);
    if (text !== undefined && podNames(text).some((pod) => own.includes(pod))) return path;
  }
  return undefined;
}

/** undefined for a folder, and for what is no text: kubelet cannot read it either. */
async function readText(node: ControlPlaneNode, path: string): Promise<string | undefined> {
  try {
    return (await node.files.read(path))?.content;
  } catch (error) {
    if (error instanceof KeyturnError && error.code === 'FILE_UNREADABLE') return undefined;
    throw error;
  }
}

/** `namespace/name` of the pods in it. */
function podNames(source: string): readonly string[] {
  return parseAllDocuments(source).flatMap((document) => {
    const name: unknown = document.getIn(['metadata', 'name']);
    const namespace: unknown = document.getIn(['metadata', 'namespace']) ?? 'default';
    return typeof name === 'string' && typeof namespace === 'string' ? [`${namespace}/${name}`] : [];
  });
}

function doubled(subject: string, component: Component): KeyturnError {
  return new KeyturnError('MANIFEST_UNSUPPORTED', `${subject} is a second manifest of the pod of ${component}`, {
    subject,
    remedy: `Move it out of the folder: kubelet reads every file there whose name does not begin with a dot, and would start this one as soon as ${component} restarts`,
  });
}
