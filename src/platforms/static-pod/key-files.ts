// Key files on one node: those that its manifests name, and those that Keyturn brings beside them.
import { KeyturnError } from '../../errors.ts';
import type { NodeFile } from '../../nodes/port.ts';
import type { Kid } from '../../rotation/key.ts';
import type { NodeLayout } from '../../rotation/observation.ts';
import { besideOf } from './layout.ts';
import { toHostPath } from './manifest-mounts.ts';
import { readManifest } from './node-manifests.ts';
import type { ControlPlaneNode } from './node-manifests.ts';

/** The layout's files as paths on the node. */
export interface HostKeyFiles {
  readonly signing: string;
  readonly trusted: readonly string[];
  /** null where the controller manager has no key */
  readonly controllerManager: string | null;
  /** All of them, each once. */
  readonly all: readonly string[];
}

/** @throws MANIFEST_UNREADABLE MANIFEST_UNSUPPORTED NODE_UNREACHABLE NODE_PERMISSION_DENIED */
export async function findKeyFiles(node: ControlPlaneNode, layout: NodeLayout): Promise<HostKeyFiles> {
  const apiServer = await readManifest(node, 'kube-apiserver');
  const signing = toHostPath(apiServer, layout.signingKeyFile);
  const trusted = layout.trustedKeyFiles.map((path) => toHostPath(apiServer, path));
  const { controllerManagerKeyFile } = layout;
  const controllerManager =
    controllerManagerKeyFile === null
      ? null
      : toHostPath(await readManifest(node, 'kube-controller-manager'), controllerManagerKeyFile);
  const all = [...new Set([signing, ...trusted, ...(controllerManager === null ? [] : [controllerManager])])];
  return { signing, trusted, controllerManager, all };
}

/** @throws KEY_NOT_FOUND where there is no such file; NODE_UNREACHABLE, NODE_PERMISSION_DENIED */
export async function readKeyFile(node: ControlPlaneNode, path: string): Promise<NodeFile> {
  const file = await node.files.read(path);
  if (file !== undefined) return file;
  const subject = `${node.name}:${path}`;
  throw new KeyturnError('KEY_NOT_FOUND', `${subject} does not exist, though a manifest names it`, {
    subject,
    remedy: 'Bring it back, e.g. from another control-plane node: the next restart needs it',
  });
}

/** Brings the public key beside the former pair, owned as the first verification key file is. True if anything was written. */
export async function bringPublicKey(
  node: ControlPlaneNode,
  files: HostKeyFiles,
  next: { readonly kid: Kid; readonly publicPem: string },
): Promise<boolean> {
  const { uid, gid } = await readKeyFile(node, files.trusted[0] ?? files.signing);
  return ensureFile(node, besideOf(files.signing, next.kid, 'pub'), next.publicPem, { mode: 0o644, uid, gid });
}

/** Brings a private key beside its predecessor, owned as that is, readable by nobody else. True if anything was written. */
export async function bringPrivateKey(
  node: ControlPlaneNode,
  formerPath: string,
  next: { readonly kid: Kid; readonly privatePem: string },
): Promise<boolean> {
  const { uid, gid } = await readKeyFile(node, formerPath);
  return ensureFile(node, besideOf(formerPath, next.kid, 'key'), next.privatePem, { mode: 0o600, uid, gid });
}

/** Writes only where content, mode or owner differ. True if it did. */
export async function ensureFile(
  node: ControlPlaneNode,
  path: string,
  content: string,
  as: { readonly mode: number; readonly uid: number; readonly gid: number },
): Promise<boolean> {
  const present = await node.files.read(path);
  const { mode, uid, gid } = as;
  if (present?.content === content && present.mode === mode && present.uid === uid && present.gid === gid) return false;
  await node.files.write(path, content, { mode, uid, gid });
  return true;
}
