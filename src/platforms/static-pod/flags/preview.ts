// A node's manifests as they would be after Trusting and Signing.
import type { KeyRef } from '../../../rotation/key.ts';
import type { NodeLayout } from '../../../rotation/observation.ts';
import type { FileDiff } from '../../port.ts';
import { inOneEdit, manifestSteps } from './manifest-steps.ts';
import { readManifest } from '../node-manifests.ts';
import type { ControlPlaneNode } from '../node-manifests.ts';

/** @throws MANIFEST_UNREADABLE MANIFEST_UNSUPPORTED FILE_CHANGED NODE_UNREACHABLE NODE_PERMISSION_DENIED */
export async function previewNode(
  node: ControlPlaneNode,
  layout: NodeLayout,
  next: KeyRef,
): Promise<readonly FileDiff[]> {
  const steps = manifestSteps(layout, next.kid);
  const edits = [
    ['kube-apiserver', inOneEdit(steps.trust, steps.sign)],
    ['kube-controller-manager', steps.switchControllerManager],
  ] as const;
  return Promise.all(
    edits.map(async ([component, edit]) => {
      const manifest = await readManifest(node, component);
      return { node: node.name, path: manifest.path, before: manifest.source, after: edit(manifest) };
    }),
  );
}
