// What a node's API server must show before a step may change it.
import { KeyturnError } from '../../../errors.ts';
import type { KeyRef } from '../../../rotation/key.ts';
import type { NodeLayout } from '../../../rotation/observation.ts';
import { readKeyFile } from '../key-files.ts';
import type { HostKeyFiles } from '../key-files.ts';
import { SIGNING_KEY_FILE_FLAG, besideOf } from '../layout.ts';
import { readSinglePath } from '../manifest-flags.ts';
import type { Edit } from './manifest-steps.ts';
import type { Manifest } from '../manifest.ts';
import { readManifest } from '../node-manifests.ts';
import type { ControlPlaneNode } from '../node-manifests.ts';
import { holdsKey } from '../replace-key.ts';

/**
 * The public half of a signing key is not trusted by itself: an API server that signs with a key that is in none of its key files rejects
 * its own tokens. One whose manifest is switched already is left alone.
 * @throws GUARD_FAILED API_SERVER_UNREACHABLE API_SERVER_FORBIDDEN
 */
export async function refuseToSignUntrusted(node: ControlPlaneNode, sign: Edit, next: KeyRef): Promise<void> {
  const manifest = await readManifest(node, 'kube-apiserver');
  if (sign(manifest) === manifest.source) return;
  const published = await node.apiServer.publishedKeys();
  if (published.some(({ kid }) => kid === next.kid)) return;
  throw new KeyturnError(
    'GUARD_FAILED',
    `${node.apiServer.url} does not publish ${next.kid} yet, so it must not sign with it`,
    {
      subject: node.name,
      remedy: 'Run Trusting on this node first',
    },
  );
}

/** @throws GUARD_FAILED where the manifest signs with that key */
export async function refuseToDistrustSigner(node: ControlPlaneNode, layout: NodeLayout, next: KeyRef): Promise<void> {
  const manifest = await readManifest(node, 'kube-apiserver');
  if (!signsWithKeyNamedByKid(manifest, layout, next)) return;
  throw new KeyturnError(
    'GUARD_FAILED',
    `The API server of ${node.name} signs with ${next.kid}, so it must go on trusting it`,
    {
      subject: manifest.subject,
      remedy: 'Take Signing back on this node first',
    },
  );
}

/**
 * An API server whose manifest names the former's own path must find the new key there already, left by a call that died; otherwise it
 * signs with the former.
 * @throws GUARD_FAILED KEY_NOT_FOUND
 */
export async function refuseToUntrustSigner(
  node: ControlPlaneNode,
  layout: NodeLayout,
  { signing }: HostKeyFiles,
  next: KeyRef,
): Promise<void> {
  const manifest = await readManifest(node, 'kube-apiserver');
  if (signsWithKeyNamedByKid(manifest, layout, next)) return;
  if (holdsKey((await readKeyFile(node, signing)).content, next.kid, `${node.name}:${signing}`)) return;
  throw new KeyturnError('GUARD_FAILED', `The API server of ${node.name} does not sign with ${next.kid} yet`, {
    subject: manifest.subject,
    remedy: 'Run Signing on this node first: only a key with which nobody signs may be untrusted',
  });
}

function signsWithKeyNamedByKid(manifest: Manifest, { signingKeyFile }: NodeLayout, { kid }: KeyRef): boolean {
  return readSinglePath(manifest, SIGNING_KEY_FILE_FLAG) === besideOf(signingKeyFile, kid, 'key');
}
