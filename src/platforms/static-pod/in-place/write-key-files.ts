// Writes key files in place, and remembers what is to be put back where the component does not come with them.
import type { FilePutBack } from '../change-manifest.ts';
import { ensureFile, readKeyFile } from '../key-files.ts';
import type { ControlPlaneNode } from '../node-manifests.ts';

/** A key file as a step wants it. Contents may be secrets. */
export interface KeyFileChange {
  /** On the node. */
  readonly path: string;
  readonly content: string;
  /** What it is given back where a call that died has written it; undefined where that is not known any more. */
  readonly formerly: string | undefined;
}

export interface WrittenKeyFiles {
  readonly written: boolean;
  /** In the order in which they are put back: the last that was written first. */
  readonly putBacks: readonly FilePutBack[];
}

/** Mode and owner stay, in each file's every moment. */
export async function writeKeyFiles(
  node: ControlPlaneNode,
  changes: readonly KeyFileChange[],
): Promise<WrittenKeyFiles> {
  let written = false;
  const putBacks: FilePutBack[] = [];
  for (const { path, content, formerly } of changes) {
    const present = await readKeyFile(node, path);
    const isWritten = await ensureFile(node, path, content, present);
    const before = isWritten ? present.content : formerly;
    if (before !== undefined && before !== content) putBacks.unshift({ path, content: before, as: present });
    written ||= isWritten;
  }
  return { written, putBacks };
}
