// What a node's API server must show before a step may change it.
import { KeyturnError } from '../../errors.ts';
import type { KeyRef } from '../../rotation/key.ts';
import type { NodeLayout } from '../../rotation/observation.ts';
import { SIGNING_KEY_FILE_FLAG, besideOf } from './layout.ts';
import { readSinglePath } from './manifest-flags.ts';
import type { Edit } from './manifest-steps.ts';
import { readManifest } from './node-manifests.ts';
import type { ControlPlaneNode } from './node-manifests.ts';

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
  if (readSinglePath(manifest, SIGNING_KEY_FILE_FLAG) !== besideOf(layout.signingKeyFile, next.kid, 'key')) return;
  throw new KeyturnError(
    'GUARD_FAILED',
    `The API server of ${node.name} signs with ${next.kid}, so it must go on trusting it`,
    {
      subject: manifest.subject,
      remedy: 'Take Signing back on this node first',
    },
  );
}
