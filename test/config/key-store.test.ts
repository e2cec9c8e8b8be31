// `keyStore` of keyturn.yaml: what is taken as it stands, and what is refused.
import { expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';

function parseKeyStore(keyStore: string) {
  const text = `clusters:
  - name: prod
    platform: { type: static-pod, kubeconfig: prod.kubeconfig, nodes: [{ name: node-1 }] }
    issuer: https://issuer.example
    publisher: { type: azure-blob, container: https://example.com/oidc }
    keyStore: ${keyStore}`;
  return parseConfig(text, 'keyturn.yaml').clusters[0]?.keyStore;
}

test('a Secret needs nothing but a choice of the wrapping key', () => {
  expect(parseKeyStore('{ type: kubernetes-secret, wrappingKey: { file: wrapping.key } }')).toEqual({
    type: 'kubernetes-secret',
    namespace: 'keyturn-keys',
    wrappingKey: { file: 'wrapping.key' },
    previousKeys: [],
    keyType: 'rsa-2048',
  });
});

test('transit has the usual mounts', () => {
  const transit =
    '{ transit: { address: https://bao.example, key: keyturn, auth: { kubernetes: { role: keyturn } } } }';
  expect(parseKeyStore(`{ type: encrypted-file, directory: keys, wrappingKey: ${transit} }`)).toMatchObject({
    shared: false,
    wrappingKey: {
      transit: {
        mount: 'transit',
        auth: {
          kubernetes: { mount: 'kubernetes', tokenFile: '/var/run/secrets/kubernetes.io/serviceaccount/token' },
        },
      },
    },
  });
});

test.each([
  ['a Secret without a word on encryption', '{ type: kubernetes-secret }'],
  ['a file in the clear', '{ type: encrypted-file, directory: keys, wrappingKey: none }'],
  ['a key in the configuration itself', '{ type: kubernetes-secret, wrappingKey: c2VjcmV0 }'],
  ['a context of no kubeconfig', '{ type: kubernetes-secret, context: mgmt, wrappingKey: none }'],
  [
    'transit over http',
    '{ type: kubernetes-secret, wrappingKey: { transit: { address: http://bao:8200, key: k, auth: { token: { env: T } } } } }',
  ],
  [
    'a key name that would leave its place in the address',
    '{ type: kubernetes-secret, wrappingKey: { transit: { address: https://bao, key: ../sys/seal, auth: { token: { env: T } } } } }',
  ],
])('refuses %s', (_, keyStore) => {
  expect(() => parseKeyStore(keyStore)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
});
