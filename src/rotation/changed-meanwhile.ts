// What others may have changed since a rotation was planned: nodes that joined, and manifests that kubeadm wrote anew.
import type { GuardFacts, Violation } from './guards.ts';

/**
 * An API server that the rotation does not know would refuse tokens of the new key, or sign with the former one for ever. One that has been
 * named since counts as known; whether it has the keys is for the other guards.
 */
export function findUnknownApiServer({
  endpointAddresses,
  plannedAddresses,
  apiServers,
}: GuardFacts): Omit<Violation, 'guard'> | null {
  const known = new Set([...plannedAddresses, ...apiServers.map(({ url }) => url)]);
  const strangers = endpointAddresses.filter((address) => !known.has(address));
  const areTooMany = endpointAddresses.length > apiServers.length;
  // Named by other addresses than their own: as many as there are, and each of them answers.
  const areAllNamed = strangers.length === 0 || apiServers.every(({ ready }) => ready);
  if (!areTooMany && areAllNamed) return null;
  const who = strangers.length > 0 ? strangers.join(', ') : endpointAddresses.join(', ');
  return {
    reason: `API servers that this rotation does not know have joined or taken the place of others: ${who}. Name their nodes in keyturn.yaml and restart the worker; then retry, which goes on where they have the rotation's keys already (kubeadm join copies them in the key layout in-place), or terminate this run and start again, which takes the rotation up and changes these nodes too; or roll back`,
    transient: false,
  };
}

/** In the key layout `flags` manifests that kubeadm writes anew lose what the rotation did to them. */
export function perhapsKubeadm({ keyLayout }: Pick<GuardFacts, 'keyLayout'>): string {
  return keyLayout === 'flags'
    ? '. Has kubeadm written its manifests anew (an upgrade, init phase control-plane), or was the node rebuilt? Then the flags of the rotation are gone from them: terminate this run and start again, which takes the rotation up and brings them back; or roll back'
    : '';
}
