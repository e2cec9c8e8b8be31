// Which user clusters gkectl can rotate, by their configuration file.
import { describe, expect, it } from 'vitest';
import { findConfigProblems } from '../../../src/platforms/gkectl/user-cluster-config.ts';

const HEAD = 'apiVersion: onprem.cluster.gke.io/v1\nkind: UserCluster\nname: prod\n';
const messages = (text: string) => findConfigProblems('user.yaml', text).map(({ message }) => message);

describe('a user cluster', () => {
  it.each<[string, string]>([
    ['of 1.32', 'gkeOnPremVersion: 1.32.100-gke.1\n'],
    ['of 1.9', 'gkeOnPremVersion: 1.9.0-gke.8\n'],
    ['of 1.34 that says that it is not advanced', 'gkeOnPremVersion: 1.34.0-gke.566\nenableAdvancedCluster: false\n'],
    ['that says it without a version', 'enableAdvancedCluster: false\n'],
  ])('%s can be rotated', (_, text) => expect(messages(HEAD + text)).toEqual([]));

  it.each<[string, string, RegExp]>([
    [
      'that says that it is advanced',
      `${HEAD}gkeOnPremVersion: 1.31.0-gke.1\nenableAdvancedCluster: true\n`,
      /advanced cluster \(enableAdvancedCluster: true\)/,
    ],
    [
      'of 1.33, which is advanced by default',
      `${HEAD}gkeOnPremVersion: 1.33.100-gke.89\n`,
      /version 1\.33\.100-gke\.89 and no enableAdvancedCluster/,
    ],
    ['of 1.36', `${HEAD}gkeOnPremVersion: 1.36.100-gke.144\n`, /from 1\.33 that is an advanced cluster/],
    ['of an unknown version', HEAD, /does not tell whether this is an advanced cluster/],
    ['that is an admin cluster', 'kind: AdminCluster\ngkeOnPremVersion: 1.32.100-gke.1\n', /describes a AdminCluster/],
    ['of a kind without end', `kind: ${'x'.repeat(30_000)}\n`, /describes a x{100}\. Give/],
    ['that is one long word of no YAML', `| ${'x'.repeat(30_000)}\n`, /^.{10,200}: \w+.{900,1200}x \.\.\.\. Give/s],
    ['that is no YAML', 'a: [', /is no YAML/],
    ['that is a list', '- a\n', /is not the configuration file of a user cluster/],
    ['whose flag is a text', `${HEAD}enableAdvancedCluster: "no"\n`, /is not the configuration file/],
  ])('%s is refused', (_, text, message) => {
    expect(messages(text)).toEqual([expect.stringMatching(message)]);
  });
});
