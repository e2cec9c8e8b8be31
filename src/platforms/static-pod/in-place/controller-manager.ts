// Has a node's kube-controller-manager read the key that its file holds by now, or puts that key there first.
import { KeyturnError } from '../../../errors.ts';
import type { KeyRef } from '../../../rotation/key.ts';
import type { NodeChange } from '../../port.ts';
import { findKeyFiles, readKeyFile } from '../key-files.ts';
import type { NodeTask } from '../key-layout.ts';
import { needPair, signerIn } from './pairs.ts';
import { controllerManagerProcess } from './processes.ts';
import { markOf, restart } from './restart.ts';
import { filesOfFormer } from './signing-files.ts';
import type { KeyFileChange } from './write-key-files.ts';

/** @throws KEY_NOT_FOUND where Signing has not brought the private key yet; MANIFEST_REFUSED */
export async function switchControllerManager(task: NodeTask, next: KeyRef): Promise<NodeChange> {
  const { node, layout } = task;
  const files = await findKeyFiles(node, layout);
  const { signing, controllerManager } = files;
  if (controllerManager === null) return nothingToSwitch(task);
  if ((await signerIn(node, signing)) !== next.kid) {
    throw new KeyturnError('KEY_NOT_FOUND', `${node.name}:${signing} does not hold ${next.kid} yet`, {
      subject: `${node.name}:${signing}`,
      remedy: 'Run Signing on this node first',
    });
  }
  const { content } = await readKeyFile(node, signing);
  return restart(task, {
    process: controllerManagerProcess(node, controllerManager),
    files: signing === controllerManager ? [] : [{ path: controllerManager, content, formerly: undefined }],
    mark: markOf('switch', next.kid),
    formerMark: null,
    isLast: false,
  });
}

/** On the way back and at the end: the manifest is what it was. @throws KEY_NOT_FOUND where nothing holds that key; MANIFEST_REFUSED */
export async function restoreControllerManager(task: NodeTask, signer: KeyRef): Promise<NodeChange> {
  const { node, layout } = task;
  const { controllerManager } = await findKeyFiles(node, layout);
  if (controllerManager === null) return nothingToSwitch(task);
  return restart(task, {
    process: controllerManagerProcess(node, controllerManager),
    files: await filesFor(task, controllerManager, signer),
    mark: markOf('restore', signer.kid),
    formerMark: markOf('switch', signer.kid),
    isLast: true,
  });
}

/** The API server's file goes back before the API server itself does: every API server trusts both keys, whoever starts by itself. */
async function filesFor(task: NodeTask, controllerManager: string, signer: KeyRef): Promise<readonly KeyFileChange[]> {
  const { node, layout } = task;
  const files = await findKeyFiles(node, layout);
  const present = await signerIn(node, controllerManager);
  if (present === signer.kid) return [];
  if (controllerManager === files.signing) return filesOfFormer(task, files, signer.kid, present);
  const content = (await needPair(task, signer.kid)).contents.get(controllerManager);
  if (content !== undefined) return [{ path: controllerManager, content, formerly: undefined }];
  const subject = `${node.name}:${controllerManager}`;
  throw new KeyturnError('KEY_NOT_FOUND', `No back-up holds the former ${subject}`, {
    subject,
    remedy: 'Bring it back from a back-up of your own, then retry',
  });
}

function nothingToSwitch({ node }: NodeTask): NodeChange {
  const proof = `the controller manager of ${node.name} has no --service-account-private-key-file: it signs no tokens`;
  return { node: node.name, changed: false, restartMs: 0, proof };
}
