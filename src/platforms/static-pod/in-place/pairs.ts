// The pairs of a rotation as key files hold them: which file trusts, which signs, and where the former pair is still to be had.
import { KeyturnError } from '../../../errors.ts';
import { parsePrivateKey } from '../../../keys/pem.ts';
import type { Kid } from '../../../rotation/key.ts';
import { findFormerPair } from '../back-up.ts';
import type { FormerPair } from '../back-up.ts';
import { findKeyFiles, readKeyFile } from '../key-files.ts';
import type { HostKeyFiles } from '../key-files.ts';
import type { NodeTask } from '../key-layout.ts';
import type { ControlPlaneNode } from '../node-manifests.ts';
import { holdsKey } from '../replace-key.ts';

/** @returns undefined where there is none: then a key cannot come in place */
export function trustedFileOf({ signing, controllerManager, trusted }: HostKeyFiles): string | undefined {
  return trusted.find((path) => path !== signing && path !== controllerManager);
}

/** The kid of a private key file. @throws KEY_NOT_FOUND KEY_MALFORMED KEY_ENCRYPTED KEY_UNSUPPORTED */
export async function signerIn(node: ControlPlaneNode, path: string): Promise<Kid> {
  return parsePrivateKey((await readKeyFile(node, path)).content, `${node.name}:${path}`).kid;
}

/** The file in which the new key comes: the one that holds it, or the signer, or the first. @throws MANIFEST_UNSUPPORTED */
export async function findTrustedFile(node: ControlPlaneNode, files: HostKeyFiles, kids: readonly Kid[]) {
  const path = trustedFileOf(files);
  if (path === undefined) throw noFileOfItsOwn(node, files);
  const candidates = files.trusted.filter((other) => other !== files.signing && other !== files.controllerManager);
  for (const kid of kids) {
    for (const candidate of candidates) {
      const subject = `${node.name}:${candidate}`;
      const { content } = await readKeyFile(node, candidate);
      if (holdsKey(content, kid, subject)) return { path: candidate, content, subject };
    }
  }
  return { path, content: (await readKeyFile(node, path)).content, subject: `${node.name}:${path}` };
}

/** On the node itself, or on another one: a node that has joined meanwhile never had it. */
export async function findPair({ node, nodes, layout }: NodeTask, kid: Kid): Promise<FormerPair | undefined> {
  for (const other of [node, ...nodes.filter(({ name }) => name !== node.name)]) {
    try {
      const pair = await findFormerPair(other, await findKeyFiles(other, { ...layout, node: other.name }), kid);
      if (pair !== undefined) return pair;
    } catch (error) {
      if (other === node || !(error instanceof KeyturnError)) throw error;
    }
  }
  return undefined;
}

/** @throws KEY_NOT_FOUND where no node has it any more */
export async function needPair(task: NodeTask, kid: Kid): Promise<FormerPair> {
  const pair = await findPair(task, kid);
  if (pair !== undefined) return pair;
  const subject = task.node.name;
  throw new KeyturnError('KEY_NOT_FOUND', `No node has a back-up of the former private key ${kid} any more`, {
    subject,
    remedy: `Bring it back to its place (${task.layout.signingKeyFile}) from a back-up of your own, then retry`,
  });
}

export function noFileOfItsOwn({ name }: ControlPlaneNode, { signing }: HostKeyFiles): KeyturnError {
  return new KeyturnError(
    'MANIFEST_UNSUPPORTED',
    `The API server of ${name} has no file of public keys only: it verifies with ${signing}, which can hold one private key at a time`,
    {
      subject: name,
      remedy: 'Name a file of public keys with --service-account-key-file, or set platform.keyLayout: flags',
    },
  );
}
