// What must be so when a rotation has ended: the new key alone, or everything as it was; and nothing of Keyturn's left.
import { FORMER, NEXT, SECOND } from './keys.ts';
import type { SimulatedNode } from './node.ts';
import type { Ending } from './run.ts';
import type { Scenario } from './scenario.ts';
import type { World } from './world.ts';

/** Null where all is well. What others have changed is not looked at where they changed it. */
export function endingProblem(world: World, ending: Ending, { happenings }: Scenario): string | null {
  const meddled = new Set(happenings.flatMap(({ what }) => (what.kind === 'meddling' ? [what.meddling] : [])));
  const isCompleted = ending === 'completed';
  const [left, gone] = isCompleted ? [world.record?.next ?? NEXT, FORMER] : [FORMER, NEXT | SECOND];
  if (world.staged !== 0) return 'a key is left in the key store';
  if ((world.jwks & gone) !== 0 && !meddled.has('the former key is put back into the JWKS'))
    return 'the other key is public';
  if (
    (world.jwks & left) === 0 &&
    !meddled.has('the new key is dropped from the JWKS') &&
    !meddled.has('the former key is dropped from the JWKS')
  )
    return 'the key is not public';
  for (const node of world.nodes) {
    const problem = nodeProblem(node, left);
    if (problem !== null) return `${problem} on ${node.name}`;
  }
  return null;
}

function nodeProblem({ disk, up, signer, managerSigner, managerIsTheirs }: SimulatedNode, key: number): string | null {
  const { pub, key: signing, namedPub, namedKey, trustsNamed, signsNamed, managerNamed, backUp } = disk;
  if (trustsNamed || signsNamed || managerNamed) return 'a manifest still names a file of the rotation';
  if (namedPub !== 0 || namedKey !== 0) return 'a key file of the rotation is left';
  if (backUp) return 'a back-up is left';
  if (signing !== key) return 'the private key is another one';
  if ((pub & key) === 0 || (pub & (FORMER | NEXT | SECOND)) !== key) return 'other keys are trusted';
  if (up && signer !== key) return 'the API server signs with another key';
  return managerSigner === key || managerIsTheirs ? null : 'the controller manager signs with another key';
}
