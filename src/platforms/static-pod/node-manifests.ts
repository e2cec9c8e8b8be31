// The manifests of one control-plane node, read and written where kubelet finds them.
import { posix } from 'node:path';
import { KeyturnError } from '../../errors.ts';
import type { ApiServer } from '../../api-servers/port.ts';
import type { NodeFile, NodeFiles } from '../../nodes/port.ts';
import type { ComponentProbe } from './component-probe.ts';
import type { Component, Manifest } from './manifest.ts';

export interface ControlPlaneNode {
  readonly name: string;
  readonly files: NodeFiles;
  readonly apiServer: ApiServer;
  /** kubelet's `staticPodPath` on the node. */
  readonly manifestsDirectory: string;
  /** Absent where the worker cannot reach the controller manager, which kubeadm binds to the node's loopback address. */
  readonly controllerManager?: ComponentProbe;
}

/** A manifest with the file that it was read from. */
export interface StoredManifest extends Manifest {
  readonly path: string;
  readonly file: NodeFile;
}

export function manifestPath({ manifestsDirectory }: ControlPlaneNode, component: Component): string {
  return posix.join(manifestsDirectory, `${component}.yaml`);
}

/** @throws MANIFEST_UNREADABLE where there is none; NODE_UNREACHABLE, NODE_PERMISSION_DENIED */
export async function readManifest(node: ControlPlaneNode, component: Component): Promise<StoredManifest> {
  const path = manifestPath(node, component);
  const subject = `${node.name}:${path}`;
  const file = await node.files.read(path);
  if (file === undefined) {
    throw new KeyturnError('MANIFEST_UNREADABLE', `${subject} does not exist`, {
      subject,
      remedy: 'Name the directory of the static pod manifests (`staticPodPath` of kubelet) in keyturn.yaml',
    });
  }
  return { source: file.content, component, subject, path, file };
}

/**
 * Puts another source in place of the one that was read. Written in the directory above, because kubelet starts a pod for every file
 * that appears in the watched one.
 * @throws FILE_CHANGED where the file is no longer as it was read
 */
export async function writeManifest(node: ControlPlaneNode, read: StoredManifest, source: string): Promise<void> {
  const { mode, uid, gid, sha256 } = read.file;
  await node.files.write(read.path, source, {
    mode,
    uid,
    gid,
    expectedSha256: sha256,
    stagingDirectory: posix.dirname(node.manifestsDirectory),
  });
}

/** Paths of the manifests, whichever component they start, that mention a file of that name. */
export async function findManifestsNaming(node: ControlPlaneNode, fileName: string): Promise<readonly string[]> {
  const naming: string[] = [];
  for (const name of await node.files.list(node.manifestsDirectory)) {
    if (name.startsWith('.')) continue; // as kubelet does
    const path = posix.join(node.manifestsDirectory, name);
    if ((await node.files.read(path))?.content.includes(fileName) === true) naming.push(path);
  }
  return naming;
}
