// What a node must show before a step may change its key files.
import { KeyturnError } from '../../../errors.ts';
import type { KeyRef } from '../../../rotation/key.ts';
import type { HostKeyFiles } from '../key-files.ts';
import { readAnnotation } from '../manifest-annotation.ts';
import { readManifest } from '../node-manifests.ts';
import type { ControlPlaneNode } from '../node-manifests.ts';
import { signerIn } from './pairs.ts';
import { isMark, markOf, RESTART_ANNOTATION } from './restart.ts';

/**
 * An API server that starts by itself signs with whatever its file holds: the key may come there only once this one trusts it. Whether all of
 * them do is for the plan's guards. A node that has the key already, or whose API server was to read it, is left
 * alone.
 * @throws GUARD_FAILED API_SERVER_UNREACHABLE API_SERVER_FORBIDDEN
 */
export async function refuseToSignUntrusted(node: ControlPlaneNode, files: HostKeyFiles, next: KeyRef): Promise<void> {
  if ((await signerIn(node, files.signing)) === next.kid) return;
  const mark = readAnnotation(await readManifest(node, 'kube-apiserver'), RESTART_ANNOTATION);
  if (isMark(mark, markOf('sign', next.kid))) return;
  const published = await node.apiServer.publishedKeys();
  if (published.some(({ kid }) => kid === next.kid)) return;
  throw new KeyturnError(
    'GUARD_FAILED',
    `${node.apiServer.url} does not publish ${next.kid} yet, so it must not sign with it`,
    { subject: node.name, remedy: 'Run Trusting on this node first' },
  );
}

/** @throws GUARD_FAILED where the node's signing key file holds that key */
export async function refuseToDistrustSigner(node: ControlPlaneNode, files: HostKeyFiles, next: KeyRef): Promise<void> {
  if ((await signerIn(node, files.signing)) !== next.kid) return;
  throw new KeyturnError('GUARD_FAILED', `${node.name} signs with ${next.kid}, so it must go on trusting it`, {
    subject: `${node.name}:${files.signing}`,
    remedy: 'Take Signing back on this node first',
  });
}

/** @throws GUARD_FAILED where the node's signing key file does not hold that key */
export async function refuseToUntrustSigner(node: ControlPlaneNode, files: HostKeyFiles, next: KeyRef): Promise<void> {
  if ((await signerIn(node, files.signing)) === next.kid) return;
  throw new KeyturnError('GUARD_FAILED', `${node.name} does not sign with ${next.kid} yet`, {
    subject: `${node.name}:${files.signing}`,
    remedy: 'Run Signing on this node first: only a key with which nobody signs may be untrusted',
  });
}
