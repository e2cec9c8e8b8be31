// What a manifest becomes as a process.
import { describe, expect, it } from 'vitest';
import { readStaticPod } from '../../../src/demo/control-plane/static-pod.ts';

const manifest = (command: string, extra = ''): string => `apiVersion: v1
kind: Pod
metadata:
  name: kube-apiserver
spec:
  containers:
  - command:
${command}
    volumeMounts:
    - mountPath: /etc/kubernetes/pki
      name: pki
    - mountPath: /etc/kubernetes/pki/etcd
      name: etcd
    - mountPath: /var/empty
      name: scratch
${extra}  volumes:
  - hostPath:
      path: /srv/node-1/pki
    name: pki
  - hostPath:
      path: /srv/etcd
    name: etcd
  - emptyDir: {}
    name: scratch
`;

describe('readStaticPod', () => {
  it.each([
    ['--key=/etc/kubernetes/pki/sa.key', '--key=/srv/node-1/pki/sa.key'],
    ['/etc/kubernetes/pki/sa.key', '/srv/node-1/pki/sa.key'],
    ['--dir=/etc/kubernetes/pki', '--dir=/srv/node-1/pki'],
    ['--ca=/etc/kubernetes/pki/etcd/ca.crt', '--ca=/srv/etcd/ca.crt'],
    ['--other=/etc/kubernetes/pkix/sa.key', '--other=/etc/kubernetes/pkix/sa.key'],
    ['--scratch=/var/empty/x', '--scratch=/var/empty/x'],
    ['--issuer=https://host/etc/kubernetes/pki/x', '--issuer=https://host/etc/kubernetes/pki/x'],
  ])('gives the argument %s as %s', (argument, expected) => {
    expect(readStaticPod(manifest(`    - kube-apiserver\n    - ${argument}`)).command).toEqual([
      'kube-apiserver',
      expected,
    ]);
  });

  it('has a grace of 30 s unless the manifest says otherwise', () => {
    expect(readStaticPod(manifest('    - a')).gracePeriodMs).toBe(30_000);
    expect(readStaticPod(manifest('    - a', '  terminationGracePeriodSeconds: 2\n')).gracePeriodMs).toBe(2_000);
  });

  it('has the same hash when only a comment differs, and another for another argument', () => {
    const hash = readStaticPod(manifest('    - a')).hash;
    expect(readStaticPod(`# edited\n${manifest('    - a')}`).hash).toBe(hash);
    expect(readStaticPod(manifest('    - b')).hash).not.toBe(hash);
  });

  it.each([
    ['half a file', 'apiVersion: v1\nkind: Pod\nmetadata:\n  name: [kube'],
    ['two equal keys', 'kind: Pod\nmetadata:\n  name: a\n  name: b\nspec:\n  containers:\n  - command: [a]\n'],
    ['another kind', 'kind: ConfigMap\nmetadata:\n  name: a\n'],
    ['an empty file', ''],
  ])('refuses %s', (_what, text) => {
    expect(() => readStaticPod(text)).toThrow();
  });
});
