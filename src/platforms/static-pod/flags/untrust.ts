// Untrusting one node: the new pair takes the former's place at the former's own paths, and the manifest becomes what it was.
import { KeyturnError } from '../../../errors.ts';
import { parsePrivateKey } from '../../../keys/pem.ts';
import type { SigningKey } from '../../../keys/signing-key.ts';
import type { KeyRef, Kid } from '../../../rotation/key.ts';
import type { NodeLayout } from '../../../rotation/observation.ts';
import type { NodeChange, StepControl } from '../../port.ts';
import { findFormerPair } from '../back-up.ts';
import { changeManifest } from '../change-manifest.ts';
import type { FilePutBack, Timing } from '../change-manifest.ts';
import { all, doesNotPublish, either, publishes, signsWith } from '../effects.ts';
import { ensureFile, findKeyFiles, readKeyFile } from '../key-files.ts';
import type { HostKeyFiles } from '../key-files.ts';
import { manifestSteps } from './manifest-steps.ts';
import type { ControlPlaneNode } from '../node-manifests.ts';
import { refuseToUntrustSigner } from './refusals.ts';
import { addPublicKey, holdsKey, replaceKey } from '../replace-key.ts';

/**
 * Every state on the way is right for an API server that restarts by itself: until its manifest is changed it has the new pair from the files
 * named by kid, whatever stands at the former's paths.
 * @throws GUARD_FAILED where the node does not sign with `next` yet; MANIFEST_REFUSED where the API server does not come: manifest and
 * key files are back then
 */
export async function untrust(
  node: ControlPlaneNode,
  layout: NodeLayout,
  former: KeyRef,
  next: SigningKey,
  timing: Timing,
  control: StepControl,
): Promise<NodeChange> {
  const keyFiles = await findKeyFiles(node, layout);
  const steps = manifestSteps(layout, next.kid);
  await refuseToUntrustSigner(node, layout, keyFiles, next);
  const written = await replaceAll(node, keyFiles, former.kid, next);
  const formerly = all(signsWith(node, next.kid), publishes(node, former.kid));
  const change = await changeManifest(
    node,
    {
      component: 'kube-apiserver',
      edit: steps.untrust,
      inverse: steps.takeUntrustBack,
      // By number: an API server that restarted by itself after the files were changed publishes `next` once more than the manifest
      // that is to come, whose flag for the file named by kid is gone.
      effect: all(signsWith(node, next.kid), doesNotPublish(node, former.kid), doesNotPublish(node, next.kid)),
      formerEffect: either(all(formerly, publishes(node, next.kid)), formerly, timing.clock, timing.noticeMs),
      files: await trustingBoth(node, keyFiles, former.kid),
      afterPutBack: () => bringFormerPairBack(node, keyFiles, former.kid),
    },
    timing,
    control,
  );
  return { ...change, changed: change.changed || written };
}

/** Nothing is written unless all of the files can be. True if anything was. */
async function replaceAll(
  node: ControlPlaneNode,
  keyFiles: HostKeyFiles,
  former: Kid,
  next: SigningKey,
): Promise<boolean> {
  const writes: (() => Promise<boolean>)[] = [];
  for (const path of keyFiles.all) {
    const subject = `${node.name}:${path}`;
    const file = await readKeyFile(node, path);
    const content = replaceKey(file.content, former, next, subject);
    if (path === keyFiles.signing && parsePrivateKey(content, subject).kid !== next.kid) {
      throw new KeyturnError('KEY_MISMATCHED', `${subject} holds neither the former nor the new private key`, {
        subject,
        remedy: 'Find out who changed it: Keyturn replaces the key that it rotates, and no other',
      });
    }
    writes.push(() => ensureFile(node, path, content, file));
  }
  let written = false;
  for (const write of writes) written = (await write()) || written;
  return written;
}

/** Files that are right with and without the flag for the new key, and whichever of the two the API server trusts. */
async function trustingBoth(node: ControlPlaneNode, keyFiles: HostKeyFiles, former: Kid): Promise<FilePutBack[]> {
  const pair = await findFormerPair(node, keyFiles, former);
  const files: FilePutBack[] = [];
  for (const path of pair === undefined ? [] : keyFiles.trusted) {
    const file = await readKeyFile(node, path);
    const subject = `${node.name}:${path}`;
    const before = pair?.contents.get(path);
    if (pair === undefined || before === undefined || !holdsKey(before, former, subject)) continue;
    files.push({ path, content: addPublicKey(file.content, pair.publicKey, subject), as: file });
  }
  return files;
}

async function bringFormerPairBack(node: ControlPlaneNode, keyFiles: HostKeyFiles, former: Kid): Promise<string> {
  const pair = await findFormerPair(node, keyFiles, former);
  if (pair === undefined)
    return '; no back-up on the node holds the former pair, so that the new one stays at its paths';
  for (const path of keyFiles.all) {
    const before = pair.contents.get(path);
    if (before !== undefined) await ensureFile(node, path, before, await readKeyFile(node, path));
  }
  return '; the former key files are back too';
}
