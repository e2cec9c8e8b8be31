// The name under which a cluster's staged key lies, whatever the cluster is called.
import { createHash } from 'node:crypto';

/**
 * A readable beginning, and a hash that keeps names apart that differ in case, in `/` and in length. Letters, digits and dashes, at most 57 of
 * them: fit for a file, for a part of an object's name (RFC 1123) and for a label.
 */
export function stagedName(cluster: string): string {
  const readable = cluster
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replaceAll(/^-+|-+$/g, '');
  const hash = createHash('sha256').update(cluster).digest('hex').slice(0, 16);
  return readable === '' ? hash : `${readable}-${hash}`;
}
