// The key store of one cluster, and what encrypts what it holds.
import { hostname } from 'node:os';
import path from 'node:path';
import { KubeClient } from '../api-servers/kube-client.ts';
import { loadKubeConfig } from '../api-servers/kube-config.ts';
import type { KeyStoreConfig, WrappingKeyConfig } from '../config/key-store-schema.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { ClusterConfig } from '../config/schema.ts';
import { BringYourOwnKeyStore } from '../key-stores/bring-your-own.ts';
import { EncryptedFileKeyStore } from '../key-stores/encrypted-file.ts';
import { WithFormerWrappers } from '../key-stores/former-wrappers.ts';
import type { KeyWrapper } from '../key-stores/key-wrapper.ts';
import { KubernetesSecretKeyStore } from '../key-stores/kubernetes-secret.ts';
import { PlatformKeyStore } from '../key-stores/platform.ts';
import type { KeyStore } from '../key-stores/port.ts';
import { SuppliedKey } from '../key-stores/supplied-key.ts';
import type { WrappingKeySource } from '../key-stores/wrapping-key.ts';
import type { KeyAlgorithm } from '../rotation/key.ts';
import { composeTransit, type Resolve } from './compose-transit.ts';

/** Reads files of the worker, but asks no server. @throws FILE_UNREADABLE CONFIG_INVALID */
export async function composeKeyStore(config: LoadedConfig, cluster: ClusterConfig): Promise<KeyStore> {
  const resolve: Resolve = (file) => path.resolve(path.dirname(config.file), file);
  const { keyStore, platform } = cluster;
  switch (keyStore.type) {
    case 'platform':
      return new PlatformKeyStore();
    case 'bring-your-own': {
      const { privateKeyFile, publicKeyFile } = keyStore;
      return new BringYourOwnKeyStore({
        privateKeyFile: resolve(privateKeyFile),
        ...(publicKeyFile === undefined ? {} : { publicKeyFile: resolve(publicKeyFile) }),
      });
    }
    case 'encrypted-file':
      return new EncryptedFileKeyStore({
        directory: resolve(keyStore.directory),
        wrapper: await composeWrapper(keyStore.wrappingKey, keyStore.previousKeys, resolve),
        keyType: keyStore.keyType,
      });
    case 'kubernetes-secret': {
      const { kubeconfig, context, wrappingKey, previousKeys, namespace, keyType } = keyStore;
      const access = kubeconfig === undefined ? platform : { kubeconfig, context };
      return new KubernetesSecretKeyStore({
        client: new KubeClient(await loadKubeConfig(resolve(access.kubeconfig), access.context)),
        namespace,
        wrapper: wrappingKey === 'none' ? null : await composeWrapper(wrappingKey, previousKeys, resolve),
        keyType,
        identity: `${process.pid}@${hostname()}`,
      });
    }
  }
}

/** Null where the user brings the key: its algorithm is in its file. */
export function newKeyAlgOf({ keyStore }: { readonly keyStore: KeyStoreConfig }): KeyAlgorithm | null {
  if (keyStore.type === 'bring-your-own') return null;
  // Google Distributed Cloud and Gardener make RSA keys.
  if (keyStore.type === 'platform') return 'RS256';
  const algorithms = {
    'rsa-2048': 'RS256',
    'rsa-3072': 'RS256',
    'rsa-4096': 'RS256',
    'ec-p256': 'ES256',
    'ec-p384': 'ES384',
    'ec-p521': 'ES512',
  } as const;
  return algorithms[keyStore.keyType];
}

async function composeWrapper(
  wrappingKey: WrappingKeyConfig,
  previousKeys: readonly WrappingKeySource[],
  resolve: Resolve,
): Promise<KeyWrapper> {
  const supplied = (source: WrappingKeySource) =>
    new SuppliedKey('file' in source ? { file: resolve(source.file) } : source);
  const present = 'transit' in wrappingKey ? await composeTransit(wrappingKey.transit, resolve) : supplied(wrappingKey);
  return previousKeys.length === 0 ? present : new WithFormerWrappers(present, previousKeys.map(supplied));
}
