// What speaks against the configured platform of a cluster, beyond the shape of its fields.
import { findRepeated } from './repeated.ts';
import type { ClusterConfig } from './schema.ts';

/** undefined where nothing is wrong. */
export function findPlatformProblem(cluster: ClusterConfig): string | undefined {
  return findApiServerProblem(cluster) ?? findKeyProblem(cluster) ?? findPublisherProblem(cluster);
}

function findApiServerProblem({ name, platform }: ClusterConfig): string | undefined {
  if (!('apiServers' in platform)) return undefined;
  const twice = findRepeated(platform.apiServers.map((server) => server.name));
  if (twice !== undefined) return `two API servers of cluster "${name}" are named "${twice}"`;
  const address = findRepeated(platform.apiServers.map(({ url }) => url));
  return address === undefined ? undefined : `two API servers of cluster "${name}" have the same address ${address}`;
}

function findKeyProblem({ name, platform, keyStore }: ClusterConfig): string | undefined {
  const makesKey = makesKeys(platform);
  if (makesKey && keyStore.type !== 'platform') {
    return `cluster "${name}" has a keyStore, but with ${platform.type} the platform makes the key: leave keyStore out`;
  }
  if (!makesKey && keyStore.type === 'platform') {
    return `cluster "${name}" needs a keyStore: with ${platform.type} Keyturn brings the key`;
  }
  if (platform.type === 'openshift' && 'keyType' in keyStore && !keyStore.keyType.startsWith('rsa-')) {
    return `keyStore.keyType of cluster "${name}" is ${keyStore.keyType}: OpenShift's own keys are RSA, use rsa-2048 or rsa-4096`;
  }
  return undefined;
}

function findPublisherProblem({ name, platform, publisher }: ClusterConfig): string | undefined {
  if (platform.type === 'gkectl' && publisher.type !== 'platform' && publisher.type !== 'api-server') {
    return `cluster "${name}" has the publisher ${publisher.type}, but Google Distributed Cloud publishes by itself: set publisher.type to platform`;
  }
  if (!makesKeys(platform) && publisher.type === 'platform') {
    return `cluster "${name}" has the publisher platform, but with ${platform.type} nothing is published by the platform`;
  }
  return undefined;
}

function makesKeys({ type }: ClusterConfig['platform']): boolean {
  return type === 'gkectl' || type === 'gardener';
}
