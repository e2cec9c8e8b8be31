// What speaks against a configured platform without nodes of its own, beyond the shape of its fields.
import { findRepeated } from './repeated.ts';
import type { ClusterConfig } from './schema.ts';

/** undefined where nothing is wrong. */
export function findPlatformProblem({ name, platform, keyStore }: ClusterConfig): string | undefined {
  if (platform.type === 'static-pod') return undefined;
  const twice = findRepeated(platform.apiServers.map((server) => server.name));
  if (twice !== undefined) return `two API servers of cluster "${name}" are named "${twice}"`;
  const address = findRepeated(platform.apiServers.map(({ url }) => url));
  if (address !== undefined) return `two API servers of cluster "${name}" have the same address ${address}`;
  if ('keyType' in keyStore && !keyStore.keyType.startsWith('rsa-')) {
    return `keyStore.keyType of cluster "${name}" is ${keyStore.keyType}: OpenShift's own keys are RSA, use rsa-2048 or rsa-4096`;
  }
  return undefined;
}
