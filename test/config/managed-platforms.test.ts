// keyturn.yaml of clusters whose platform makes the key: what may be left out, and what does not go together.
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';

const GKECTL = `
    platform:
      type: gkectl
      kubeconfig: user.kubeconfig
      userClusterConfig: user.yaml
      adminKubeconfig: admin.kubeconfig
      apiServers: [{ name: cp-1, url: 'https://10.0.0.1:443' }]
`;
const GARDENER = `
    platform:
      type: gardener
      kubeconfig: shoot.kubeconfig
      garden: { kubeconfig: garden.kubeconfig, namespace: garden-dev, shoot: prod }
`;
const STATIC_POD = `
    platform: { type: static-pod, kubeconfig: c, nodes: [{ name: n1 }] }
`;
const OF_PLATFORM = '    publisher: { type: platform }\n';
const OURS = '    publisher: { type: azure-blob, container: https://a.blob.core.windows.net/oidc }\n';
const KEY_STORE = '    keyStore: { type: bring-your-own, privateKeyFile: k }\n';

const parse = (platform: string, rest: string) =>
  parseConfig(`clusters:\n  - name: prod\n    issuer: https://issuer.test${platform}${rest}`, 'keyturn.yaml')
    .clusters[0]!;

describe('a cluster of gkectl', () => {
  it('needs no key store; the platform publishes', () => {
    expect(parse(GKECTL, OF_PLATFORM)).toMatchObject({
      keyStore: { type: 'platform' },
      publisher: { type: 'platform' },
      platform: { command: 'gkectl', deadline: 10_800_000, pollInterval: 60_000, namespace: 'keyturn' },
    });
  });

  it.each<[string, string, RegExp]>([
    ['another publisher', OURS, /has the publisher azure-blob, but Google Distributed Cloud publishes by itself/],
    ['a key store', OF_PLATFORM + KEY_STORE, /with gkectl the platform makes the key: leave keyStore out/],
  ])('cannot have %s', (_, rest, message) => expect(() => parse(GKECTL, rest)).toThrow(message));
});

describe('a Shoot', () => {
  it.each([
    ['a publisher of ours', OURS],
    ['a managed issuer', OF_PLATFORM],
  ])('may have %s', (_, rest) => {
    expect(parse(GARDENER, rest).platform).toMatchObject({
      workersRollout: 'with-rotation',
      timeout: 7_200_000,
      pollInterval: 5000,
    });
  });

  it('cannot have a key store', () =>
    expect(() => parse(GARDENER, OURS + KEY_STORE)).toThrow(/with gardener the platform makes the key/));
});

describe('a cluster of static pods', () => {
  it('needs a key store', () => expect(() => parse(STATIC_POD, OURS)).toThrow(/needs a keyStore/));
  it('publishes itself', () =>
    expect(() => parse(STATIC_POD, OF_PLATFORM + KEY_STORE)).toThrow(/nothing is published by the platform/));
});
