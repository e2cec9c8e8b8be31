// The layout `in-place`: the files that the manifests name hold every trusted key, the signer's first; kubeadm may write manifests anew at any moment.
import { KeyturnError } from '../../../errors.ts';
import { findKeyFiles, readKeyFile } from '../key-files.ts';
import type { HostKeyFiles } from '../key-files.ts';
import type { KeyLayoutSteps, NodeTask } from '../key-layout.ts';
import { findManifestsNaming } from '../node-manifests.ts';
import { readCopies } from '../back-up.ts';
import { addPublicKey, holdsKey, replaceKey } from '../replace-key.ts';
import type { SigningKey } from '../../../keys/signing-key.ts';
import type { Kid } from '../../../rotation/key.ts';
import { restoreControllerManager, switchControllerManager } from './controller-manager.ts';
import { addKeyBehind, removeKey } from './order-keys.ts';
import { findPair, findTrustedFile, signerIn } from './pairs.ts';
import { previewInPlace } from './preview.ts';
import { apiServerProcess } from './processes.ts';
import { refuseToDistrustSigner, refuseToSignUntrusted, refuseToUntrustSigner } from './refusals.ts';
import { markOf, restart, RESTART_ANNOTATION } from './restart.ts';
import { filesOfFormer, filesOfNext } from './signing-files.ts';
import type { KeyFileChange } from './write-key-files.ts';

export const inPlaceLayout: KeyLayoutSteps = {
  preview: previewInPlace,

  async trust(task, next) {
    const { node, layout } = task;
    const files = await findKeyFiles(node, layout);
    const signer = await signerIn(node, files.signing);
    const { path, content, subject } = await findTrustedFile(node, files, [next.kid, signer]);
    const trusting = addKeyBehind(content, signer, next, subject);
    const wasThere = await wasThereBefore(task, files, path, next.kid);
    return restart(task, {
      process: apiServerProcess(node, files),
      files: [{ path, content: trusting, formerly: wasThere ? trusting : removeKey(trusting, next.kid, subject) }],
      mark: markOf('trust', next.kid),
      formerMark: null,
      isLast: false,
    });
  },

  async distrust(task, next) {
    const { node, layout } = task;
    const files = await findKeyFiles(node, layout);
    await refuseToDistrustSigner(node, files, next);
    const changes: KeyFileChange[] = [];
    for (const path of publicFilesOf(files)) {
      const { content } = await readKeyFile(node, path);
      const subject = `${node.name}:${path}`;
      const wasThere = await wasThereBefore(task, files, path, next.kid);
      const without = wasThere ? content : removeKey(content, next.kid, subject);
      changes.push({ path, content: without, formerly: undefined });
    }
    return restart(task, {
      process: apiServerProcess(node, files),
      files: changes,
      mark: markOf('distrust', next.kid),
      formerMark: markOf('trust', next.kid),
      isLast: true,
    });
  },

  async sign(task, former, next) {
    const { node, layout } = task;
    const files = await findKeyFiles(node, layout);
    await refuseToSignUntrusted(node, files, next);
    return restart(task, {
      process: apiServerProcess(node, files),
      files: await filesOfNext(task, files, former, next),
      mark: markOf('sign', next.kid),
      formerMark: markOf('trust', next.kid),
      isLast: false,
    });
  },

  async signWithFormer(task, former, next) {
    const { node, layout } = task;
    const files = await findKeyFiles(node, layout);
    return restart(task, {
      process: apiServerProcess(node, files),
      files: await filesOfFormer(task, files, former.kid, next.kid),
      mark: markOf('trust', next.kid),
      formerMark: markOf('sign', next.kid),
      isLast: false,
    });
  },

  switchControllerManager,
  restoreControllerManager,

  async untrust(task, former, next) {
    const { node, layout } = task;
    const files = await findKeyFiles(node, layout);
    await refuseToUntrustSigner(node, files, next);
    return restart(task, {
      process: apiServerProcess(node, files),
      files: await filesWithoutFormer(task, files, former.kid, next),
      mark: markOf('untrust', next.kid),
      formerMark: markOf('sign', next.kid),
      isLast: true,
    });
  },

  async retire(node, _layout, { kid }) {
    const [naming] = await findManifestsNaming(node, RESTART_ANNOTATION);
    if (naming === undefined) return;
    const subject = `${node.name}:${naming}`;
    throw new KeyturnError('GUARD_FAILED', `${subject} still has the annotation ${RESTART_ANNOTATION}`, {
      subject,
      remedy: `Finish Untrusting of ${kid} on this node first: API server and controller manager`,
    });
  },
};

/** Files of the API server in which no private key may stand. */
function publicFilesOf({ trusted, signing, controllerManager }: HostKeyFiles): readonly string[] {
  return trusted.filter((path) => path !== signing && path !== controllerManager);
}

/** A key that somebody else had brought before the rotation stays when it is taken back. */
async function wasThereBefore(
  { node, layout }: NodeTask,
  files: HostKeyFiles,
  path: string,
  kid: Kid,
): Promise<boolean> {
  // What was copied from another node in the middle of the rotation is the rotation's own.
  if (layout.joined === true) return false;
  const copies = await readCopies(node, files, path);
  return copies.some((copy) => holdsKey(copy, kid, `back-up of ${node.name}:${path}`));
}

/** Other keys stay, in every file that holds the former one. */
async function filesWithoutFormer(
  task: NodeTask,
  files: HostKeyFiles,
  former: Kid,
  next: SigningKey,
): Promise<readonly KeyFileChange[]> {
  const { node } = task;
  const pair = await findPair(task, former);
  const changes: KeyFileChange[] = [];
  for (const path of files.trusted) {
    const subject = `${node.name}:${path}`;
    const content = replaceKey((await readKeyFile(node, path)).content, former, next, subject);
    const before = pair?.contents.get(path);
    const held = pair !== undefined && before !== undefined && holdsKey(before, former, subject);
    changes.push({ path, content, formerly: held ? addPublicKey(content, pair.publicKey, subject) : undefined });
  }
  return changes;
}
