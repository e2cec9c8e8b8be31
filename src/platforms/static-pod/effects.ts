// What an API server shows, at its own address, when it runs with a manifest: the only proof that a change has come.
import { KeyturnError } from '../../errors.ts';
import { parsePublicKeys } from '../../keys/pem.ts';
import type { Kid } from '../../rotation/key.ts';
import type { Effect, Moment } from './change-manifest.ts';
import { KEY_FILE_FLAG } from './layout.ts';
import { readPaths } from './manifest-flags.ts';
import { toHostPath } from './manifest-mounts.ts';
import type { ControlPlaneNode } from './node-manifests.ts';
import type { Clock, Sighting } from '../../wait-for.ts';

/**
 * It is ready and publishes the key as often as the files of its manifest hold it: an API server that already knew the key from another
 * file shows by the number that it has read the new one too.
 */
export function publishes(node: ControlPlaneNode, kid: Kid): Effect {
  return whenReady(node, async (moment) => {
    const published = await countPublished(node, kid);
    if (published === 0) return { missing: `does not publish ${kid}` };
    if (published < (await countInFiles(node, moment, kid)))
      return { missing: `has not read all files that hold ${kid}` };
    return { proof: `publishes ${kid}` };
  });
}

/** It is ready and publishes the key no more often than the files of its manifest hold it: not at all, as a rule. */
export function doesNotPublish(node: ControlPlaneNode, kid: Kid): Effect {
  return whenReady(node, async (moment) => {
    const published = await countPublished(node, kid);
    if (published === 0) return { proof: `does not publish ${kid}` };
    if (published > (await countInFiles(node, moment, kid))) return { missing: `still publishes ${kid}` };
    return { proof: `publishes ${kid} only as often as its files hold it` };
  });
}

/** It is ready, its tokens carry the kid, and it publishes that key. */
export function signsWith(node: ControlPlaneNode, kid: Kid): Effect {
  return whenReady(node, async () => {
    if ((await countPublished(node, kid)) === 0) return { missing: `does not publish ${kid}` };
    const minted = await node.apiServer.mintToken();
    return minted.kid === kid
      ? { proof: `publishes ${kid} and signs with it` }
      : { missing: `signs with ${minted.kid}, not with ${kid}` };
  });
}

/** It is ready and its tokens carry another kid. */
export function doesNotSignWith(node: ControlPlaneNode, kid: Kid): Effect {
  return whenReady(node, async () => {
    const minted = await node.apiServer.mintToken();
    return minted.kid === kid ? { missing: `still signs with ${kid}` } : { proof: `signs with ${minted.kid}` };
  });
}

/** Every one of them; what is missing is told of the first that is. */
export function all(...effects: readonly Effect[]): Effect {
  return async (moment) => {
    const proofs: string[] = [];
    for (const effect of effects) {
      const sighting = await effect(moment);
      if ('missing' in sighting) return sighting;
      proofs.push(sighting.proof);
    }
    return { proof: proofs.join('; ') };
  };
}

/**
 * The first effect, or the second one seen for so long without a break that kubelet must have noticed whatever manifest is there: what can
 * be proven of a process that never ended, and shows no trace of files that changed meanwhile.
 */
export function either(effect: Effect, lasting: Effect, clock: Clock, noticeMs: number): Effect {
  let since: number | undefined;
  return async (moment) => {
    const sighting = await effect(moment);
    if ('proof' in sighting) return sighting;
    const weaker = await lasting(moment);
    since = 'proof' in weaker ? (since ?? clock.now()) : undefined;
    return since !== undefined && clock.now() - since >= noticeMs ? weaker : sighting;
  };
}

/** Asks only one that is ready. */
export function whenReady(node: ControlPlaneNode, look: (moment: Moment) => Promise<Sighting>): Effect {
  const { url } = node.apiServer;
  return async (moment) => {
    const { ready, reason } = await node.apiServer.readiness();
    if (!ready) return { missing: `${url} is not ready${reason === undefined ? '' : ` (${reason})`}` };
    try {
      const sighting = await look(moment);
      return 'proof' in sighting ? { proof: `${url} ${sighting.proof}` } : { missing: `${url} ${sighting.missing}` };
    } catch (error) {
      // Whatever it answers: one that has just started may not know its RBAC rules yet. What stays wrong is put back in the end.
      if (error instanceof KeyturnError) return { missing: error.message };
      throw error;
    }
  };
}

async function countPublished(node: ControlPlaneNode, kid: Kid): Promise<number> {
  return (await node.apiServer.publishedKeys()).filter((key) => key.kid === kid).length;
}

/** Files that cannot be read count for nothing: whether the API server can live with them is not what is asked here. */
async function countInFiles(node: ControlPlaneNode, { manifest }: Moment, kid: Kid): Promise<number> {
  let count = 0;
  for (const path of readPaths(manifest, KEY_FILE_FLAG)) {
    try {
      const hostPath = toHostPath(manifest, path);
      const file = await node.files.read(hostPath);
      const keys = file === undefined ? [] : parsePublicKeys(file.content, `${node.name}:${hostPath}`);
      count += keys.filter((key) => key.kid === kid).length;
    } catch (error) {
      if (!(error instanceof KeyturnError) || error.retryable) throw error;
    }
  }
  return count;
}
