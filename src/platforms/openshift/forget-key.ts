// Has the operator forget a key: out of its ConfigMap, which it never prunes, and then out of every node's revision.
import type { KeyRef } from '../../rotation/key.ts';
import type { Advance } from '../port.ts';
import { kidsIn, withoutKey } from './cert-entries.ts';
import { CERTS, NEXT_SECRET, OPERAND_SECRET } from './names.ts';
import type { OperatorObjects } from './objects.ts';
import { keyIn } from './pair.ts';
import { objectIsMissing, wouldForgetTheNextKey } from './refusals.ts';
import { describeUnsettled, readRevisions } from './revisions.ts';

/** @throws PLATFORM_CHANGED where the key is one that the operator has in use, PLATFORM_FAILED */
export async function forgetKey(objects: OperatorObjects, { kid }: KeyRef): Promise<Advance> {
  const kubeApiServer = await objects.kubeApiServer();
  if (kubeApiServer === null) throw objectIsMissing('KubeAPIServer cluster');
  const revisions = readRevisions(kubeApiServer);
  const certs = await objects.certs();
  if (certs === null) throw objectIsMissing(`ConfigMap ${CERTS}`);
  const changes = withoutKey(certs.data, kid, CERTS);
  const names = Object.keys(changes);
  if (names.length > 0) {
    const used = [keyIn(await objects.nextSecret(), NEXT_SECRET), keyIn(await objects.operandSecret(), OPERAND_SECRET)];
    if (used.some((key) => key?.kid === kid)) throw wouldForgetTheNextKey(kid);
    await objects.changeCerts(certs, changes);
    return { waitingFor: `${names.join(', ')} was taken out of ConfigMap ${CERTS}` };
  }
  if (revisions.missing !== null) return { waitingFor: revisions.missing };
  const subject = `${CERTS}-${revisions.latest}`;
  if (kidsIn((await objects.certsOfRevision(revisions.latest))?.data, subject).includes(kid)) {
    return { waitingFor: `ConfigMap ${subject} still has ${kid}` };
  }
  const unsettled = describeUnsettled(await objects.clusterOperator());
  if (unsettled !== null) return { waitingFor: unsettled };
  return { changed: false, proof: `revision ${revisions.latest}, without ${kid}, is on every node` };
}
