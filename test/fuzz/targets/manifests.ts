// Static pod manifests: an edit changes its one item and no other byte, and what was added goes without a trace.
import fc from 'fast-check';
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'yaml';
import { apiServerManifest, controllerManagerManifest } from '../../../src/demo/control-plane/kubeadm-manifests.ts';
import { longestLifetimes, readLayout, readTokenLifetimes } from '../../../src/platforms/static-pod/layout.ts';
import { addFlag, removeFlag, replaceFlagValue } from '../../../src/platforms/static-pod/manifest-edit.ts';
import { readPaths } from '../../../src/platforms/static-pod/manifest-flags.ts';
import type { Manifest } from '../../../src/platforms/static-pod/manifest.ts';
import { generatedManifest } from '../../platforms/static-pod/generated-manifest.ts';
import type { FuzzTarget } from '../run-target.ts';
import { bombs } from './yaml-bombs.ts';

const KEY_FILE = 'service-account-key-file';
const SIGNING_KEY_FILE = 'service-account-signing-key-file';
const NEW = '/etc/kubernetes/pki/sa-new.pub';

const kubeadm = apiServerManifest({
  port: 6443,
  pkiDirectory: '/etc/kubernetes/pki',
  etcdUrls: ['https://127.0.0.1:2379'],
  issuer: 'https://issuer.example',
  version: '1.37.2',
  gracePeriodSeconds: 30,
  extraFlags: { 'service-account-max-token-expiration': '24h', 'service-account-extend-token-expiration': 'false' },
});
const controllerManager: Manifest = {
  source: controllerManagerManifest({
    port: 10257,
    pkiDirectory: '/etc/kubernetes/pki',
    kubeconfigPath: '/etc/kubernetes/controller-manager.conf',
    version: '1.37.2',
    extraFlags: {},
  }),
  component: 'kube-controller-manager',
  subject: 'node-1:/c.yaml',
};
const styles = fc.sample(generatedManifest, { numRuns: 40, seed: 7 }).map(({ source }) => source);

/** The one stretch in which two texts differ. */
function difference(one: string, other: string): { readonly cut: string; readonly put: string } {
  let start = 0;
  while (start < one.length && one[start] === other[start]) start += 1;
  let end = 0;
  const most = Math.min(one.length, other.length) - start;
  while (end < most && one.at(-1 - end) === other.at(-1 - end)) end += 1;
  return { cut: one.slice(start, one.length - end), put: other.slice(start, other.length - end) };
}

/** An independent reading: everything but the lists of words. */
function withoutWords(source: string): unknown {
  const pod = parse(source, { logLevel: 'error' }) as { spec: { containers: Record<string, unknown>[] } };
  for (const container of pod.spec.containers) {
    if (container === null || typeof container !== 'object') continue;
    delete container['command'];
    delete container['args'];
  }
  return pod;
}

export const manifests: FuzzTarget = {
  name: 'static pod manifests',
  seeds: [kubeadm, kubeadm.replaceAll('\n', '\r\n'), ...styles],
  extremes: bombs,
  tokens: [
    `--${KEY_FILE}=/etc/kubernetes/pki/sa.pub`,
    `--${KEY_FILE}`,
    `--${SIGNING_KEY_FILE}=`,
    '    - kube-apiserver\n',
    'command:',
    'args: ',
    'kind: Pod',
    'spec:',
    'containers:',
    '$(HOST_IP)',
    'sh -c kube-apiserver',
    '9999999999999999999h',
    '-5m',
    NEW,
  ],
  accepts(input) {
    const manifest = (source: string): Manifest => ({ source, component: 'kube-apiserver', subject: 'node-1:/m.yaml' });
    const layout = readLayout('node-1', manifest(input), controllerManager);
    const { maxTokenExpirationMs } = longestLifetimes([readTokenLifetimes(manifest(input))]);
    if (maxTokenExpirationMs !== null && !(maxTokenExpirationMs > 0))
      throw new Error(`a lifetime of ${maxTokenExpirationMs}`);

    const added = addFlag(manifest(input), KEY_FILE, NEW);
    if (layout.trustedKeyFiles.includes(NEW)) return added === input || fail('what is there was added');
    if (!isDeepStrictEqual(readPaths(manifest(added), KEY_FILE), [...layout.trustedKeyFiles, NEW]))
      fail('another list of keys');
    const { cut, put } = difference(input, added);
    if (cut !== '' || put.length > 300 || !put.includes('sa-new.pub'))
      fail(`adding put ${JSON.stringify(put)} for ${JSON.stringify(cut)}`);
    if (!isDeepStrictEqual(withoutWords(added), withoutWords(input))) fail('adding changed something else');
    if (removeFlag(manifest(added), KEY_FILE, NEW) !== input) fail('added and removed is not what it was');

    const replaced = replaceFlagValue(
      manifest(input),
      SIGNING_KEY_FILE,
      layout.signingKeyFile,
      '/etc/kubernetes/pki/sa-new.key',
    );
    if (!isDeepStrictEqual(withoutWords(replaced), withoutWords(input))) fail('replacing changed something else');
    if (
      replaceFlagValue(
        manifest(replaced),
        SIGNING_KEY_FILE,
        '/etc/kubernetes/pki/sa-new.key',
        layout.signingKeyFile,
      ) !== input
    )
      fail('there and back is not what it was');
    return true;
  },
};

function fail(what: string): never {
  throw new Error(what);
}
