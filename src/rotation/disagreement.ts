// API servers that are not alike: what one of them signs, another would refuse.
import type { ApiServerObservation, ControlPlaneObservation, Problem } from './observation.ts';
import { isUnfinished, type RotationRecord } from './record.ts';

/** In a rotation that is taken up, signers and trust may differ between its two keys; otherwise all API servers must be alike. */
export function apiServersDisagree({
  controlPlane,
  record,
}: {
  readonly controlPlane: ControlPlaneObservation;
  readonly record: RotationRecord | null;
}): readonly Problem[] {
  const asked = controlPlane.apiServers.filter(({ ready }) => ready);
  // A key that the platform has made meanwhile cannot be told from a wrong one yet.
  if (isUnfinished(record) && record.next === null) return [];
  const inRotation = isUnfinished(record) && record.next !== null ? [record.former.kid, record.next.kid] : [];
  const problems: Problem[] = [];
  const signers = new Set(asked.map(({ signingKid }) => signingKid).filter((kid) => kid !== null));
  const signer = ({ signingKid }: ApiServerObservation) => signingKid ?? 'none';
  if ([...signers].some((kid) => !inRotation.includes(kid))) {
    if (signers.size > 1) problems.push(disagreement('sign with different keys', asked, signer));
    else if (inRotation.length > 0) {
      problems.push(disagreement('sign with a key that is not of the rotation under way', asked, signer));
    }
  }
  const trust = (server: ApiServerObservation) =>
    server.trusted
      .map(({ kid }) => kid)
      .filter((kid) => !inRotation.includes(kid))
      .toSorted()
      .join(' ');
  if (new Set(asked.map(trust)).size > 1) problems.push(disagreement('trust different keys', asked, trust));
  return problems;
}

function disagreement(
  what: string,
  servers: readonly ApiServerObservation[],
  of: (server: ApiServerObservation) => string,
): Problem {
  const list = servers.map((server) => `${server.node}: ${of(server)}`).join('; ');
  return {
    code: 'PREFLIGHT_REFUSED',
    subject: 'API servers',
    message: `The API servers ${what} (${list}). Make their --service-account-key-file and --service-account-signing-key-file alike, then start again.`,
  };
}
