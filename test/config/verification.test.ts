// The probe pods of Verifying in keyturn.yaml.
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';

const config = (verification: string) => `clusters:
  - name: prod
    platform: { type: static-pod, kubeconfig: ./kubeconfig, nodes: [{ name: node-1 }] }
    issuer: https://issuer.example/prod
    publisher: { type: azure-blob, container: https://acct.blob.core.windows.net/oidc }
    keyStore: { type: encrypted-file, directory: ./keys, wrappingKey: { env: WRAPPING_KEY } }
${verification}`;
const pod = (fields: string) => config(`    verification: { pod: { image: busybox${fields} } }`);
const parse = (text: string) => parseConfig(text, 'keyturn.yaml').clusters[0]?.verification;

describe('verification', () => {
  test('needs no pod', () => {
    expect(parse(config(''))).toEqual({});
  });

  test('of an image is that of the seed: annotated for workload identity, with a token for an hour', () => {
    expect(parse(pod(''))).toEqual({
      pod: {
        image: 'busybox',
        namespace: 'keyturn-verify',
        tokenExpiration: 3_600_000,
        awaitRefresh: true,
        labels: { 'azure.workload.identity/use': 'true' },
        annotations: { 'azure.workload.identity/client-id': 'keyturn-verify' },
        nodeSelector: {},
        tolerations: [],
        imagePullSecrets: [],
      },
    });
  });

  test.each([
    ['a token for less than Kubernetes grants', ', tokenExpiration: 9m', 'at least 10m'],
    ['a token for longer than Kubernetes grants', ', tokenExpiration: 50000d', 'at most'],
    ['a relative token file', ', tokenFile: token', 'absolute path'],
    ['a misspelt field', ', awaitRefrehs: true', 'awaitRefrehs'],
  ])('refuses %s', (_, fields, message) => {
    expect(() => parse(pod(fields))).toThrow(message);
  });

  test('refuses a pod without an image', () => {
    expect(() => parse(config('    verification: { pod: {} }'))).toThrow('image');
  });
});
