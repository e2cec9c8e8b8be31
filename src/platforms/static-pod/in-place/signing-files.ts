// The two files of a signer as they are while the new key signs, and as they are while the former one does again.
import { KeyturnError } from '../../../errors.ts';
import { parsePrivateKey } from '../../../keys/pem.ts';
import type { SigningKey } from '../../../keys/signing-key.ts';
import type { Kid, KeyRef } from '../../../rotation/key.ts';
import { readKeyFile } from '../key-files.ts';
import type { HostKeyFiles } from '../key-files.ts';
import type { NodeTask } from '../key-layout.ts';
import { addPublicKey, holdsKey, replaceKey } from '../replace-key.ts';
import { addKeyBehind, moveKeyBehind, moveKeyFirst } from './order-keys.ts';
import { findPair, findTrustedFile, needPair } from './pairs.ts';
import type { KeyFileChange } from './write-key-files.ts';

/** Trusted first, then signing: whoever starts between the two trusts the key with which it signs. @throws KEY_MISMATCHED and as reading does */
export async function filesOfNext(
  task: NodeTask,
  files: HostKeyFiles,
  former: KeyRef,
  next: SigningKey,
): Promise<readonly KeyFileChange[]> {
  const { node } = task;
  const trusted = await findTrustedFile(node, files, [next.kid, former.kid]);
  const holding = addKeyBehind(trusted.content, former.kid, next, trusted.subject);
  const first = moveKeyFirst(holding, next.kid, trusted.subject);
  const subject = `${node.name}:${files.signing}`;
  const { content } = await readKeyFile(node, files.signing);
  const signing = replaceKey(content, former.kid, next, subject);
  refuseOtherSigner(signing, [next.kid], subject);
  return [
    {
      path: trusted.path,
      content: first,
      formerly: moveKeyBehind(first, next.kid, former.kid, trusted.subject),
    },
    { path: files.signing, content: signing, formerly: (await findPair(task, former.kid))?.signing },
  ];
}

/** In the same order. @throws KEY_NOT_FOUND where the former private key is nowhere any more; KEY_MISMATCHED and as reading does */
export async function filesOfFormer(
  task: NodeTask,
  files: HostKeyFiles,
  former: Kid,
  next: Kid,
): Promise<readonly KeyFileChange[]> {
  const { node } = task;
  const trusted = await findTrustedFile(node, files, [former, next]);
  const subject = `${node.name}:${files.signing}`;
  const { content } = await readKeyFile(node, files.signing);
  refuseOtherSigner(content, [former, next], subject);
  const holding = holdsKey(trusted.content, former, trusted.subject)
    ? trusted.content
    : addPublicKey(trusted.content, (await needPair(task, former)).publicKey, trusted.subject);
  const signing = parsePrivateKey(content, subject).kid === former ? content : (await needPair(task, former)).signing;
  return [
    { path: trusted.path, content: moveKeyBehind(holding, next, former, trusted.subject), formerly: undefined },
    { path: files.signing, content: signing, formerly: undefined },
  ];
}

function refuseOtherSigner(content: string, expected: readonly Kid[], subject: string): void {
  const { kid } = parsePrivateKey(content, subject);
  if (expected.includes(kid)) return;
  throw new KeyturnError('KEY_MISMATCHED', `${subject} holds ${kid}, neither the former nor the new private key`, {
    subject,
    remedy: 'Find out who changed it: Keyturn replaces the key that it rotates, and no other',
  });
}
