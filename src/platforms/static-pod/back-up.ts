// Copies of a node's manifests and key files from before a rotation, in a folder of the node that only root may enter.
import { posix } from 'node:path';
import { KeyturnError } from '../../errors.ts';
import { parsePrivateKey } from '../../keys/pem.ts';
import type { Kid, PublicKey } from '../../rotation/key.ts';
import type { NodeLayout } from '../../rotation/observation.ts';
import { findKeyFiles } from './key-files.ts';
import type { HostKeyFiles } from './key-files.ts';
import { manifestPath } from './node-manifests.ts';
import type { ControlPlaneNode } from './node-manifests.ts';

const FOLDER_PREFIX = 'keyturn-backup-';

/** Beside the pki folder, not in it: components see that one in their containers. */
function backUpFolder(files: HostKeyFiles, rotationId: string): string {
  return posix.join(backUpParent(files), `${FOLDER_PREFIX}${encodeURIComponent(rotationId)}`);
}

function backUpParent(files: HostKeyFiles): string {
  return posix.dirname(posix.dirname(files.signing));
}

/**
 * Copies what is not in the folder yet, under its whole path: `<folder>/etc/kubernetes/pki/sa.key`. What is there stays: a run that takes a
 * rotation up would otherwise copy manifests that are half changed.
 * @throws MANIFEST_UNREADABLE MANIFEST_UNSUPPORTED KEY_NOT_FOUND NODE_UNREACHABLE NODE_PERMISSION_DENIED NODE_DISK_FULL
 */
export async function backUp(node: ControlPlaneNode, layout: NodeLayout, rotationId: string): Promise<void> {
  const keyFiles = await findKeyFiles(node, layout);
  const folder = backUpFolder(keyFiles, rotationId);
  const manifests = (['kube-apiserver', 'kube-controller-manager'] as const).map((name) => manifestPath(node, name));
  for (const path of [...manifests, ...keyFiles.all]) {
    const copy = posix.join(folder, path);
    if ((await node.files.read(copy)) !== undefined) continue;
    const file = await node.files.read(path);
    if (file === undefined) throw missing(`${node.name}:${path}`);
    await node.files.write(copy, file.content, { mode: 0o600, uid: file.uid, gid: file.gid });
  }
}

/** @param keep `manifests`: they stay, every key file goes; `nothing`: the folder goes */
export async function removeBackUp(
  node: ControlPlaneNode,
  layout: NodeLayout,
  rotationId: string,
  keep: 'nothing' | 'manifests',
): Promise<void> {
  const keyFiles = await findKeyFiles(node, layout);
  const folder = backUpFolder(keyFiles, rotationId);
  if (keep === 'nothing') return node.files.remove(folder);
  for (const path of keyFiles.all) await node.files.remove(posix.join(folder, path));
}

/** What a back-up holds of the former pair. */
export interface FormerPair {
  readonly publicKey: PublicKey;
  /** Content of the signing key file: a secret. */
  readonly signing: string;
  /** Contents by path on the node; secrets among them. */
  readonly contents: ReadonlyMap<string, string>;
}

/** Looks through the node's back-ups for one whose signing key is the former one, whatever rotation made it. */
export async function findFormerPair(
  node: ControlPlaneNode,
  keyFiles: HostKeyFiles,
  former: Kid,
): Promise<FormerPair | undefined> {
  for (const folder of await listBackUps(node, keyFiles)) {
    const contents = new Map<string, string>();
    for (const path of keyFiles.all) {
      const copy = await node.files.read(posix.join(folder, path));
      if (copy !== undefined) contents.set(path, copy.content);
    }
    const signing = contents.get(keyFiles.signing);
    if (signing === undefined) continue;
    const publicKey = publicHalf(signing, `${node.name}:${folder}`);
    if (publicKey?.kid === former) return { publicKey, signing, contents };
  }
  return undefined;
}

/** Every copy of one file in the node's back-ups, whatever rotation made them. */
export async function readCopies(
  node: ControlPlaneNode,
  keyFiles: HostKeyFiles,
  path: string,
): Promise<readonly string[]> {
  const copies: string[] = [];
  for (const folder of await listBackUps(node, keyFiles)) {
    const copy = await node.files.read(posix.join(folder, path));
    if (copy !== undefined) copies.push(copy.content);
  }
  return copies;
}

async function listBackUps(node: ControlPlaneNode, keyFiles: HostKeyFiles): Promise<readonly string[]> {
  const parent = backUpParent(keyFiles);
  const names = (await node.files.list(parent)).filter((entry) => entry.startsWith(FOLDER_PREFIX));
  return names.map((name) => posix.join(parent, name));
}

/** undefined for a copy that is damaged: another folder may hold a whole one. */
function publicHalf(privatePem: string, subject: string): PublicKey | undefined {
  try {
    const { kid, alg, publicPem } = parsePrivateKey(privatePem, subject);
    return { kid, alg, publicPem };
  } catch (error) {
    if (error instanceof KeyturnError) return undefined;
    throw error;
  }
}

function missing(subject: string): KeyturnError {
  return new KeyturnError('KEY_NOT_FOUND', `${subject} does not exist, so it cannot be backed up`, {
    subject,
    remedy: 'Bring it back, e.g. from another control-plane node: the next restart needs it',
  });
}
