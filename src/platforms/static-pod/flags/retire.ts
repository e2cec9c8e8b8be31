// Removes the files named by kid that Keyturn has brought to a node, once nothing names them any more.
import { posix } from 'node:path';
import { KeyturnError } from '../../../errors.ts';
import type { KeyRef, Kid } from '../../../rotation/key.ts';
import type { NodeLayout } from '../../../rotation/observation.ts';
import { findKeyFiles } from '../key-files.ts';
import { besideOf, keyFileName } from '../layout.ts';
import { findManifestsNaming } from '../node-manifests.ts';
import type { ControlPlaneNode } from '../node-manifests.ts';

/** @throws GUARD_FAILED where any manifest of the node still names one of them */
export async function retireFiles(node: ControlPlaneNode, layout: NodeLayout, next: KeyRef): Promise<void> {
  for (const half of ['pub', 'key'] as const) {
    const name = keyFileName(next.kid, half);
    const [naming] = await findManifestsNaming(node, name);
    if (naming === undefined) continue;
    throw new KeyturnError('GUARD_FAILED', `${node.name}:${naming} still names ${name}, which was to be removed`, {
      subject: `${node.name}:${naming}`,
      remedy: 'Finish Untrusting on this node first: API server and controller manager',
    });
  }
  await removeUnnamed(node, layout, next.kid, ['pub', 'key']);
}

/**
 * Removes those that no manifest names. One that the controller manager still reads stays: distrust and retire, which come later, take it.
 */
export async function removeUnnamed(
  node: ControlPlaneNode,
  layout: NodeLayout,
  kid: Kid,
  halves: readonly ('pub' | 'key')[],
): Promise<void> {
  const { signing, controllerManager } = await findKeyFiles(node, layout);
  for (const former of new Set([signing, controllerManager ?? signing])) {
    for (const half of halves) {
      const path = besideOf(former, kid, half);
      if ((await findManifestsNaming(node, posix.basename(path))).length === 0) await node.files.remove(path);
    }
  }
}
