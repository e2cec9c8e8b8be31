// What does not go together with the platform of a cluster in keyturn.yaml.
import type { ClusterConfig } from './schema.ts';

/** undefined where nothing is wrong. */
export function findPlatformProblem({ name, platform, publisher, keyStore }: ClusterConfig): string | undefined {
  const makesKey = platform.type === 'gkectl' || platform.type === 'gardener';
  if (makesKey && keyStore.type !== 'platform') {
    return `cluster "${name}" has a keyStore, but with ${platform.type} the platform makes the key: leave keyStore out`;
  }
  if (!makesKey && keyStore.type === 'platform') {
    return `cluster "${name}" needs a keyStore: with ${platform.type} Keyturn brings the key`;
  }
  if (platform.type === 'gkectl' && publisher.type !== 'platform') {
    return `cluster "${name}" has the publisher ${publisher.type}, but Google Distributed Cloud publishes by itself: set publisher.type to platform`;
  }
  if (!makesKey && publisher.type === 'platform') {
    return `cluster "${name}" has the publisher platform, but with ${platform.type} nothing is published by the platform`;
  }
  return undefined;
}
