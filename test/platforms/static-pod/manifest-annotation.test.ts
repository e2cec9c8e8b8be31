// One annotation of a manifest, set, replaced and removed without touching another byte.
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readAnnotation, setAnnotation } from '../../../src/platforms/static-pod/manifest-annotation.ts';
import type { Manifest } from '../../../src/platforms/static-pod/manifest.ts';

const NAME = 'keyturn.dev/restarted-for';
const manifest = (source: string): Manifest => ({ source, component: 'kube-apiserver', subject: 'node-1:/m.yaml' });
const spec = 'spec:\n  containers:\n  - command: [kube-apiserver, --a=b]\n';

const WRITTEN = {
  'kubeadm’s API server': `apiVersion: v1\nkind: Pod\nmetadata:\n  annotations:\n    kubeadm.kubernetes.io/endpoint: 10.0.0.1:6443\n  labels:\n    tier: control-plane\n  name: a\n${spec}status: {}\n`,
  'kubeadm’s controller manager, without annotations': `apiVersion: v1\nkind: Pod\nmetadata:\n  labels:\n    tier: control-plane\n  name: a\n${spec}`,
  'comments around every line': `kind: Pod\nmetadata: # m\n  # n\n  name: a # a\n  # o\n  annotations: # b\n    # c\n    x: y # d\n    # e\n${spec}`,
  'line ends of Windows': `kind: Pod\r\nmetadata:\r\n  name: a\r\n${spec.replaceAll('\n', '\r\n')}`,
  'metadata at the end, without a last line end': `kind: Pod\n${spec}metadata:\n    name: a\n    annotations:\n          x: y`,
  'annotations in braces': `kind: Pod\nmetadata:\n  name: a\n  annotations: {x: y}\n${spec}`,
  'empty annotations in braces': `kind: Pod\nmetadata:\n  name: a\n  annotations: {}\n${spec}`,
  'metadata in braces': `kind: Pod\nmetadata: { name: a }\n${spec}`,
  JSON: `{"kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"command":["kube-apiserver","--a=b"]}]}}`,
  'JSON with annotations, a line each': `{\n  "kind": "Pod",\n  "metadata": {\n    "annotations": {\n      "x": "y"\n    },\n    "name": "a"\n  },\n  "spec": {"containers": [{"command": ["kube-apiserver"]}]}\n}\n`,
};

interface Pod {
  readonly metadata: { readonly annotations?: Readonly<Record<string, unknown>> };
}

describe.for(Object.entries(WRITTEN))('%s', ([, source]) => {
  test('set, replaced and removed, is byte for byte what it was', () => {
    const once = setAnnotation(manifest(source), NAME, 'trust-K1');
    expect(readAnnotation(manifest(source), NAME)).toBeNull();
    expect(readAnnotation(manifest(once), NAME)).toBe('trust-K1');
    const before = (parse(source) as Pod).metadata.annotations ?? {};
    expect((parse(once) as Pod).metadata.annotations).toEqual({ ...before, [NAME]: 'trust-K1' });
    const twice = setAnnotation(manifest(once), NAME, 'sign-K1');
    expect((parse(twice) as Pod).metadata.annotations).toEqual({ ...before, [NAME]: 'sign-K1' });
    expect(setAnnotation(manifest(twice), NAME, null)).toBe(source);
  });

  test('asked for what is there, changes nothing', () => {
    const once = setAnnotation(manifest(source), NAME, 'trust-K1');
    expect(setAnnotation(manifest(once), NAME, 'trust-K1')).toBe(once);
    expect(setAnnotation(manifest(source), NAME, null)).toBe(source);
  });

  test('leaves every line of before where it was, in its order', () => {
    const once = setAnnotation(manifest(source), NAME, 'trust-K1');
    const lines = once.split('\n');
    if (source.split('\n').length === 1) return;
    const kept = source.split('\n').filter((line) => !line.includes('{'));
    expect(lines.filter((line) => kept.includes(line))).toEqual(kept);
  });
});

test.for([
  ['no metadata', `kind: Pod\n${spec}`],
  ['annotations without a value', `kind: Pod\nmetadata:\n  name: a\n  annotations:\n${spec}`],
  ['an anchor', `kind: Pod\nmetadata: &m\n  name: a\n${spec}`],
])('%s is refused before anything is changed', ([, source]) => {
  expect(() => setAnnotation(manifest(source!), NAME, 'x')).toThrow(
    expect.objectContaining({ code: 'MANIFEST_UNSUPPORTED' }),
  );
});

test('two equal keys, which kubelet would ignore without a word, are refused', () => {
  const source = `kind: Pod\nmetadata:\n  annotations:\n    x: y\n    x: z\n${spec}`;
  expect(() => setAnnotation(manifest(source), NAME, 'x')).toThrow(
    expect.objectContaining({ code: 'MANIFEST_UNREADABLE' }),
  );
});

test('a comment that somebody put beside the only annotation is not taken away with it', () => {
  const once = setAnnotation(manifest(WRITTEN['kubeadm’s controller manager, without annotations']), NAME, 'x');
  const commented = once.replace('  annotations:\n', '  annotations:\n    # theirs\n');
  expect(() => setAnnotation(manifest(commented), NAME, null)).toThrow(
    expect.objectContaining({ code: 'MANIFEST_UNSUPPORTED' }),
  );
});
