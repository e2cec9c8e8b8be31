// Manifests as kubeadm and others write them: what is read, what is edited, what is refused and how that is said.
import { describe, expect, test } from 'vitest';
import { addFlag, removeFlag, replaceFlagValue } from '../../../src/platforms/static-pod/manifest-edit.ts';
import { readFlags, readPaths, readSinglePath } from '../../../src/platforms/static-pod/manifest-flags.ts';
import { mounts, toHostPath } from '../../../src/platforms/static-pod/manifest-mounts.ts';
import { parseManifest } from '../../../src/platforms/static-pod/manifest.ts';
import type { Component, Manifest } from '../../../src/platforms/static-pod/manifest.ts';

const KEY = 'service-account-key-file';
const SIGNING = 'service-account-signing-key-file';
const NEW = '/etc/kubernetes/pki/sa-new.pub';

const manifest = (source: string, component: Component = 'kube-apiserver'): Manifest => ({
  source,
  component,
  subject: 'node-1:/etc/kubernetes/manifests/kube-apiserver.yaml',
});

/** A pod whose container has these fields, each line as it is given. */
const pod = (...fields: string[]): string =>
  `kind: Pod\nspec:\n  containers:\n  - name: c\n${fields.map((field) => `    ${field}\n`).join('')}`;

describe('editing', () => {
  test.for([
    [
      'a line per flag, a comment behind',
      pod('command:', '- kube-apiserver', `- --${KEY}=/a.pub # old`, '- --v=2'),
      pod('command:', '- kube-apiserver', `- --${KEY}=/a.pub # old`, `- --${KEY}=${NEW}`, '- --v=2'),
    ],
    [
      'flag and value as two items, the value quoted',
      pod('command:', '- kube-apiserver', `- --${KEY}`, "- '/a.pub'", '- --v=2'),
      pod('command:', '- kube-apiserver', `- --${KEY}`, "- '/a.pub'", `- --${KEY}`, `- '${NEW}'`, '- --v=2'),
    ],
    [
      'the last of several, not the first',
      pod('command:', '- kube-apiserver', `- --${KEY}=/a.pub`, '- --v=2', `- "--${KEY}=/b.pub"`, '- --w=3'),
      pod(
        'command:',
        '- kube-apiserver',
        `- --${KEY}=/a.pub`,
        '- --v=2',
        `- "--${KEY}=/b.pub"`,
        `- "--${KEY}=${NEW}"`,
        '- --w=3',
      ),
    ],
    [
      'a flow list',
      pod(`command: [kube-apiserver, "--${KEY}=/a.pub" , --v=2]`),
      pod(`command: [kube-apiserver, "--${KEY}=/a.pub", "--${KEY}=${NEW}" , --v=2]`),
    ],
    [
      'flags in args',
      pod('command: [/usr/bin/kube-apiserver]', 'args:', `- --${KEY}=/a.pub`),
      pod('command: [/usr/bin/kube-apiserver]', 'args:', `- --${KEY}=/a.pub`, `- --${KEY}=${NEW}`),
    ],
    [
      'a wrapper with flags of its own before the program',
      pod(`command: [/go-runner, --log-file=/x.log, kube-apiserver, --${KEY}=/a.pub]`),
      pod(`command: [/go-runner, --log-file=/x.log, kube-apiserver, --${KEY}=/a.pub, --${KEY}=${NEW}]`),
    ],
    [
      'underscores, which the components read as dashes',
      pod('command:', '- kube-apiserver', '- --service_account_key_file=/a.pub'),
      pod('command:', '- kube-apiserver', '- --service_account_key_file=/a.pub', `- --service_account_key_file=${NEW}`),
    ],
  ] as const)('adds to %s, and takes it back', ([, before, after]) => {
    expect(addFlag(manifest(before), KEY, NEW)).toBe(after);
    expect(removeFlag(manifest(after), KEY, NEW)).toBe(before);
  });

  test('a container that comes second is the one that is edited', () => {
    const source = `kind: Pod\nspec:\n  containers:\n  - command: [proxy, --${KEY}=/a.pub]\n  - command:\n    - kube-apiserver\n    - --${KEY}=/a.pub\n`;
    expect(addFlag(manifest(source), KEY, NEW)).toBe(`${source}    - --${KEY}=${NEW}\n`);
  });

  test('removes by value, never by position or by the beginning of a value', () => {
    const source = pod('command:', '- kube-apiserver', `- --${KEY}=/a.pub`, `- --${KEY}=/a.pub2`, `- --${KEY}=/a`);
    expect(removeFlag(manifest(source), KEY, '/a')).toBe(
      pod('command:', '- kube-apiserver', `- --${KEY}=/a.pub`, `- --${KEY}=/a.pub2`),
    );
  });

  test('replaces one value and nothing like it', () => {
    const source = pod(
      'command:',
      '- kube-apiserver',
      `- --${KEY}=/sa.key`,
      `- "--${SIGNING}=/sa.key" # --${SIGNING}=/sa.key`,
    );
    expect(replaceFlagValue(manifest(source), SIGNING, '/sa.key', '/n.key')).toBe(
      pod('command:', '- kube-apiserver', `- --${KEY}=/sa.key`, `- "--${SIGNING}=/n.key" # --${SIGNING}=/sa.key`),
    );
  });

  test('a value that is neither the former nor the new one was changed by another', () => {
    const source = pod(`command: [kube-apiserver, --${SIGNING}=/other.key]`);
    expect(() => replaceFlagValue(manifest(source), SIGNING, '/sa.key', '/n.key')).toThrow(
      expect.objectContaining({
        code: 'FILE_CHANGED',
        retryable: false,
        message: expect.stringContaining('/other.key'),
      }),
    );
  });
});

const many = pod('command:', '- kube-apiserver', `- --${KEY}=/a.pub`);

describe('refusing', () => {
  test.for([
    ['nothing', '', 'MANIFEST_UNREADABLE', 'is empty'],
    ['what is not YAML', 'kind: [Pod', 'MANIFEST_UNREADABLE', 'is not valid YAML'],
    [
      'two equal keys, at which kubelet stops too',
      'kind: Pod\nkind: Pod\n',
      'MANIFEST_UNREADABLE',
      'is not valid YAML',
    ],
    ['what is not a pod', 'kind: Deployment\n', 'MANIFEST_UNREADABLE', 'is not a Pod'],
    ['a list', '- kind: Pod\n', 'MANIFEST_UNREADABLE', 'is not a Pod'],
    ['a pod without containers', 'kind: Pod\nspec: {}\n', 'MANIFEST_UNREADABLE', 'has no spec.containers'],
    ['several documents', `${many}---\n${many}`, 'MANIFEST_UNSUPPORTED', 'several YAML documents'],
    ['a command that is a string', pod('command: kube-apiserver'), 'MANIFEST_UNREADABLE', 'command that is not a list'],
    [
      'an item that is not a string',
      pod('command: [kube-apiserver, 5]'),
      'MANIFEST_UNREADABLE',
      'item 1 is not a string',
    ],
    [
      'another component',
      pod('command: [kube-scheduler]'),
      'MANIFEST_UNSUPPORTED',
      'no container whose command is kube-apiserver',
    ],
    [
      'two containers of the component',
      `${many}  - command: [kube-apiserver]\n`,
      'MANIFEST_UNSUPPORTED',
      'several containers whose command is kube-apiserver',
    ],
    [
      'a shell string',
      pod('command: [/bin/sh, -c]', `args: ["exec kube-apiserver --${KEY}=/a.pub 2>&1"]`),
      'MANIFEST_UNSUPPORTED',
      'shell string',
    ],
    [
      'an anchor in the list',
      pod('command:', '- kube-apiserver', `- &x --${KEY}=/a.pub`),
      'MANIFEST_UNSUPPORTED',
      'anchor or alias',
    ],
    [
      'an alias in the list',
      pod('image: &x --v=2', 'command:', '- kube-apiserver', '- *x'),
      'MANIFEST_UNSUPPORTED',
      'anchor or alias',
    ],
    ['a list that is an alias', pod('args: &x [--v=2]', 'command: *x'), 'MANIFEST_UNSUPPORTED', 'anchor or alias'],
  ] as const)('%s', ([, source, code, message]) => {
    expect(() => parseManifest(manifest(source))).toThrow(
      expect.objectContaining({
        code,
        subject: 'node-1:/etc/kubernetes/manifests/kube-apiserver.yaml',
        message: expect.stringContaining(message),
      }),
    );
  });

  test.for([
    ['a flag at the end without its value', pod('command:', '- kube-apiserver', `- --${KEY}`), 'without a value'],
    ['a flag before another without its value', pod(`command: [kube-apiserver, --${KEY}, --v=2]`), 'without a value'],
    ['a variable as the value', pod(`command: [kube-apiserver, "--${KEY}=$(DIR)/sa.pub"]`), 'has a variable in'],
    ['a variable as a flag', pod(`command: [kube-apiserver, --${KEY}=/a.pub, $(MORE)]`), 'whole flag from a variable'],
    ['an end of flags', pod(`command: [kube-apiserver, --${KEY}=/a.pub, --, x]`), 'ends its flags with --'],
    [
      'escapes in the item',
      pod(`command: [kube-apiserver, "--${KEY}=\\x2fa.pub"]`),
      'cannot be edited without touching',
    ],
    [
      'an item over several lines',
      pod('command:', '- kube-apiserver', '- >-', `  --${KEY}=/a.pub`),
      'cannot be edited without touching',
    ],
    [
      'an item with a tag',
      pod('command:', '- kube-apiserver', `- !!str --${KEY}=/a.pub`),
      'cannot be edited without touching',
    ],
    ['a path with blanks', pod('command:', '- kube-apiserver', `- --${KEY}=/a b.pub`), 'the path "/a b.pub"'],
    ['no such flag at all', pod('command: [kube-apiserver]'), `has no --${KEY}`],
  ] as const)('adding beside %s', ([, source, message]) => {
    expect(() => addFlag(manifest(source), KEY, NEW)).toThrow(
      expect.objectContaining({ code: 'MANIFEST_UNSUPPORTED', message: expect.stringContaining(message) }),
    );
  });

  test('an edit at an anchor that is used elsewhere, which would change there too', () => {
    const source = `kind: Pod\nspec:\n  containers:\n  - command: [kube-apiserver]\n    env: &x [a]\n    args: [--${KEY}=/a.pub]\n    x: *x\n`;
    expect(addFlag(manifest(source), KEY, NEW)).toContain(NEW);
    const shared = source.replace('args: [', 'args: &y [').replace('x: *x', 'x: *y');
    expect(() => addFlag(manifest(shared), KEY, NEW)).toThrow(
      expect.objectContaining({ code: 'MANIFEST_UNSUPPORTED' }),
    );
  });

  test('a single flag that is there twice', () => {
    const source = pod(`command: [kube-apiserver, --${SIGNING}=/a.key, --${SIGNING}=/b.key]`);
    const twice = expect.objectContaining({
      code: 'MANIFEST_UNSUPPORTED',
      message: expect.stringContaining('more than once'),
    });
    expect(() => readSinglePath(manifest(source), SIGNING)).toThrow(twice);
    expect(() => replaceFlagValue(manifest(source), SIGNING, '/a.key', '/n.key')).toThrow(twice);
  });

  test.for([
    ['the only item of a list', pod('command: [kube-apiserver]', 'args:', `- --${KEY}=/a.pub`)],
    ['the first item of a flow list', pod('command: [kube-apiserver]', `args: [--${KEY}=/a.pub, --v=2]`)],
    ['an item behind a comment in a flow list', pod('command: [kube-apiserver, # why', `  --${KEY}=/a.pub]`)],
  ] as const)('to remove %s', ([, source]) => {
    expect(() => removeFlag(manifest(source), KEY, '/a.pub')).toThrow(
      expect.objectContaining({ code: 'MANIFEST_UNSUPPORTED' }),
    );
  });
});

describe('reading', () => {
  test('flags in both forms, switches, and values with an equals sign', () => {
    const source = pod(
      'command:',
      '- kube-apiserver',
      '- --a=1=2',
      '- --b',
      '- two',
      '- --c',
      '- --a',
      '- "3"',
      '- -v=4',
      '- --d=',
    );
    expect(Object.fromEntries(readFlags(manifest(source)))).toEqual({
      a: ['1=2', '3'],
      b: ['two'],
      c: [null],
      d: [''],
    });
    expect(readPaths(manifest(source), 'x')).toEqual([]);
    expect(readSinglePath(manifest(source), 'x')).toBeNull();
  });

  test('the words of another container are not its flags', () => {
    const source = `kind: Pod\nspec:\n  initContainers:\n  - command: [kube-apiserver, --i=1]\n  containers:\n  - command: [sh, -c, "sleep 1"]\n  - command: [kube-controller-manager, --a=1]\n`;
    expect(Object.fromEntries(readFlags(manifest(source, 'kube-controller-manager')))).toEqual({ a: ['1'] });
  });
});

describe('paths on the node', () => {
  const source = `${pod(
    'command: [kube-apiserver]',
    'volumeMounts:',
    '- {name: pki, mountPath: /etc/kubernetes/pki/}',
    '- {name: etcd, mountPath: /etc/kubernetes/pki/etcd, subPath: a/b}',
    '- {name: one, mountPath: /etc/kubernetes/one.pub}',
    '- {name: file, mountPath: /etc/file}',
    '- {name: scratch, mountPath: /scratch}',
    '- {name: pki, mountPath: /per-pod, subPathExpr: $(POD)}',
  )}  volumes:
  - {name: pki, hostPath: {path: /opt/keys, type: DirectoryOrCreate}}
  - {name: etcd, hostPath: {path: /opt/etcd/}}
  - {name: one, hostPath: {path: /opt/one.pub, type: File}}
  - {name: file, hostPath: {path: /opt/two, type: FileOrCreate}}
  - {name: scratch, emptyDir: {}}
`;

  test('lists what is mounted from where', () => {
    expect(mounts(manifest(source))).toEqual([
      { mountPath: '/etc/kubernetes/pki', hostPath: '/opt/keys', type: 'DirectoryOrCreate' },
      { mountPath: '/etc/kubernetes/pki/etcd', hostPath: '/opt/etcd/a/b', type: '' },
      { mountPath: '/etc/kubernetes/one.pub', hostPath: '/opt/one.pub', type: 'File' },
      { mountPath: '/etc/file', hostPath: '/opt/two', type: 'FileOrCreate' },
      { mountPath: '/scratch', hostPath: null, type: '' },
      { mountPath: '/per-pod', hostPath: null, type: 'DirectoryOrCreate' },
    ]);
  });

  test.for([
    ['/etc/kubernetes/pki/sa.key', '/opt/keys/sa.key'],
    ['/etc/kubernetes/pki/deep/../sa.key', '/opt/keys/sa.key'],
    ['/etc/kubernetes/pki/etcd/ca.crt', '/opt/etcd/a/b/ca.crt'],
    ['/etc/kubernetes/pki/etcd2/ca.crt', '/opt/keys/etcd2/ca.crt'],
  ] as const)('%s is %s', ([containerPath, hostPath]) => {
    expect(toHostPath(manifest(source), containerPath)).toBe(hostPath);
  });

  test.for([
    [
      '/etc/kubernetes/sa.key',
      'whose directory is not mounted from the node',
      'Mount /etc/kubernetes as a hostPath volume',
    ],
    ['/etc/kubernetes/pki2/sa.key', 'not mounted from the node', 'Mount /etc/kubernetes/pki2 as a hostPath volume'],
    ['/scratch/sa.key', 'not mounted from the node', 'Mount /scratch as a hostPath volume'],
    ['/per-pod/sa.key', 'not mounted from the node', 'Mount /per-pod as a hostPath volume'],
    [
      '/etc/kubernetes/one.pub',
      'mounts /etc/kubernetes/one.pub as a single file',
      'Mount its directory /etc/kubernetes',
    ],
    ['/etc/file', 'mounts /etc/file as a single file', 'Mount its directory /etc'],
  ] as const)('%s is refused: %s', ([containerPath, message, remedy]) => {
    expect(() => toHostPath(manifest(source), containerPath)).toThrow(
      expect.objectContaining({
        code: 'MANIFEST_UNSUPPORTED',
        message: expect.stringContaining(message),
        remedy: expect.stringContaining(remedy),
      }),
    );
  });
});
