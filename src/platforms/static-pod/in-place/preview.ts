// A node's manifests and its file of public keys as they would be after Trusting and Signing.
import type { KeyRef } from '../../../rotation/key.ts';
import type { NodeLayout } from '../../../rotation/observation.ts';
import type { FileDiff } from '../../port.ts';
import { findKeyFiles } from '../key-files.ts';
import { setAnnotation } from '../manifest-annotation.ts';
import { readManifest } from '../node-manifests.ts';
import type { ControlPlaneNode } from '../node-manifests.ts';
import { findTrustedFile, signerIn } from './pairs.ts';
import { markOf, RESTART_ANNOTATION } from './restart.ts';

/** @throws MANIFEST_UNREADABLE MANIFEST_UNSUPPORTED NODE_UNREACHABLE NODE_PERMISSION_DENIED */
export async function previewInPlace(
  node: ControlPlaneNode,
  layout: NodeLayout,
  next: KeyRef,
): Promise<readonly FileDiff[]> {
  const marks = [
    ['kube-apiserver', 'sign'],
    ['kube-controller-manager', 'switch'],
  ] as const;
  const manifests = marks.map(async ([component, step]) => {
    const manifest = await readManifest(node, component);
    const after = setAnnotation(manifest, RESTART_ANNOTATION, markOf(step, next.kid));
    return { node: node.name, path: manifest.path, before: manifest.source, after };
  });
  const files = await findKeyFiles(node, layout);
  const { path, content } = await findTrustedFile(node, files, [await signerIn(node, files.signing)]);
  // The key itself may not be made yet.
  const after = `(the public key ${next.kid}; ${files.signing} holds its private half)\n${content}`;
  return [...(await Promise.all(manifests)), { node: node.name, path, before: content, after }];
}
