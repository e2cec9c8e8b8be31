// What is seen of a control plane before a rotation, with every reason against one; what a rotation would do; back-ups, refusals.
import { chmod, rm, writeFile } from 'node:fs/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { KeyturnError } from '../../../src/errors.ts';
import { readTree } from '../../fakes/file-tree.ts';
import { StaticPodWorld } from '../../fakes/static-pod-world.ts';
import { ecKeyPair } from './key-pairs.ts';
import { ROTATION_ID, freely, run, steps } from './steps.ts';
import type { Scene } from './steps.ts';

const former = ecKeyPair();
const next = ecKeyPair();
let world: StaticPodWorld | undefined;
afterEach(() => world?.remove());

async function begin(nodes: readonly string[] = ['node-1']): Promise<Scene> {
  world = await StaticPodWorld.create({ former, nodes });
  return { world, former, next };
}

describe('observe', () => {
  test('sees each API server, its layout, and no problem where there is none', async () => {
    const { world: scene } = await begin(['node-1', 'node-2']);
    const seen = await scene.platform.observe();
    expect(seen.problems).toEqual([]);
    expect(seen.keyLayout).toEqual({
      layout: 'flags',
      because: 'the ConfigMap kube-system/kubeadm-config does not exist',
    });
    expect(seen.layouts).toEqual(scene.layouts);
    expect(seen.tokenLifetimes).toEqual({ maxTokenExpirationMs: null, extendTokenExpiration: true });
    expect(seen.apiServers).toEqual(
      ['node-1', 'node-2'].map((node) => ({
        node,
        url: `https://${node}:6443`,
        ready: true,
        etcdHealthy: true,
        trusted: [{ kid: former.kid, alg: 'ES256' }],
        signingKid: former.kid,
        issuer: 'https://issuer.example',
      })),
    );
  });

  test('changes nothing', async () => {
    const scene = await begin();
    const before = await readTree(scene.world.root);
    const changes: string[] = [];
    scene.world.node.files.around = (_, path) => void changes.push(path);
    await scene.world.platform.observe();
    await scene.world.platform.preview(scene.world.layouts, next);
    expect(changes).toEqual([]);
    expect(await readTree(scene.world.root)).toEqual(before);
  });

  test('tells every reason of every node at once', async () => {
    const { world: scene } = await begin(['node-1', 'node-2', 'node-3', 'node-4']);
    const [one, two, three, four] = scene.nodes;
    await writeFile(one!.path('manifests/kube-apiserver.yaml'), 'kind: Pod\nkind: Pod\n');
    await rm(one!.path('manifests/kube-controller-manager.yaml'));
    await writeFile(two!.path('pki/sa.pub'), 'damaged');
    await rm(two!.path('pki/sa.key'));
    three!.refuses = () => true;
    three!.restart();
    const external = four!
      .manifest()
      .replace(
        '--tls-private',
        '--service-account-signing-endpoint=/s\n    - --service-account-max-token-expiration=1d\n    - --tls-private',
      );
    await writeFile(four!.path('manifests/kube-apiserver.yaml'), external);
    four!.apiServer.publishedKeys = () =>
      Promise.reject(new KeyturnError('API_SERVER_FORBIDDEN', 'No', { subject: 'x', remedy: 'Allow' }));
    const seen = await scene.platform.observe();
    const problems = seen.problems.map(({ code, subject }) => `${code} ${subject.replace(scene.root, '')}`);
    expect(problems.toSorted()).toEqual([
      'API_SERVER_FORBIDDEN x',
      'KEY_MALFORMED node-2:/node-2/pki/sa.pub',
      'KEY_NOT_FOUND node-2:/node-2/pki/sa.key',
      'MANIFEST_UNREADABLE node-1:/node-1/manifests/kube-apiserver.yaml',
      'MANIFEST_UNREADABLE node-1:/node-1/manifests/kube-controller-manager.yaml',
      'MANIFEST_UNSUPPORTED node-4:/node-4/manifests/kube-apiserver.yaml',
      'MANIFEST_UNSUPPORTED node-4:/node-4/manifests/kube-apiserver.yaml',
    ]);
    expect(seen.layouts.map(({ node }) => node)).toEqual(['node-2', 'node-3']);
    expect(seen.apiServers.map(({ ready }) => ready)).toEqual([true, true, false, true]);
    expect(seen.apiServers[2]).toEqual({
      node: 'node-3',
      url: 'https://node-3:6443',
      ready: false,
      etcdHealthy: false,
      unreadyReason: 'connection refused',
      trusted: [],
      signingKid: null,
      issuer: null,
    });
    expect(seen.apiServers[3]).toMatchObject({ trusted: [], signingKid: former.kid });
  });

  test('tells a directory that cannot take new files: mounted as single files', async () => {
    const { world: scene } = await begin();
    const { node } = scene;
    const source = node
      .manifest()
      .replaceAll('mountPath: /etc/kubernetes/pki', 'mountPath: /etc/kubernetes/pki/sa.key')
      .replace(node.path('pki'), node.path('pki/sa.key'));
    await writeFile(node.path('manifests/kube-apiserver.yaml'), source);
    const { problems } = await scene.platform.observe();
    expect(problems).toMatchObject([
      { code: 'MANIFEST_UNSUPPORTED', message: expect.stringContaining('as a single file') },
    ]);
  });

  test('reads half changed manifests as they are', async () => {
    const scene = await begin();
    await run(scene, ['backUp', 'trust', 'sign']);
    const { layouts, problems } = await scene.world.platform.observe();
    expect(problems).toEqual([]);
    expect(layouts).toEqual([
      {
        node: 'node-1',
        signingKeyFile: `/etc/kubernetes/pki/sa-${next.kid}.key`,
        trustedKeyFiles: ['/etc/kubernetes/pki/sa.pub', `/etc/kubernetes/pki/sa-${next.kid}.pub`],
        controllerManagerKeyFile: '/etc/kubernetes/pki/sa.key',
        keyLayout: 'flags',
      },
    ]);
  });
});

test('preview shows the manifests after Trusting and Signing', async () => {
  const scene = await begin();
  const diffs = await scene.world.platform.preview(scene.world.layouts, next);
  expect(diffs.map(({ node, path }) => [node, path])).toEqual([
    ['node-1', scene.world.node.path('manifests/kube-apiserver.yaml')],
    ['node-1', scene.world.node.path('manifests/kube-controller-manager.yaml')],
  ]);
  await run(scene, ['trust', 'sign', 'switchControllerManager']);
  expect(scene.world.node.manifest()).toBe(diffs[0]!.after);
  expect(scene.world.node.manifest('kube-controller-manager')).toBe(diffs[1]!.after);
  // Taken up half way: what is there already is no longer to be done.
  const left = await scene.world.platform.preview(scene.world.layouts, next);
  expect(left.filter(({ before, after }) => before !== after)).toEqual([]);
});

describe('back-ups', () => {
  const folder = 'keyturn-backup-rotate%2Fprod%201';

  test('hold manifests and key files under their whole paths, for root only', async () => {
    const scene = await begin();
    await steps.backUp(scene);
    const tree = await readTree(scene.world.node.path(folder));
    const files = Object.entries(tree).filter(([, { content }]) => content !== null);
    expect(files.map(([path]) => scene.world.node.path(`${folder}/${path}`))).toEqual(
      ['manifests/kube-apiserver.yaml', 'manifests/kube-controller-manager.yaml', 'pki/sa.key', 'pki/sa.pub'].map(
        (path) => scene.world.node.path(`${folder}${scene.world.node.path(path)}`),
      ),
    );
    for (const [, { mode }] of files) expect(mode).toBe('600');
    for (const [, { content, mode }] of Object.entries(tree)) if (content === null) expect(mode).toBe('700');
    expect((await readTree(scene.world.node.directory))[folder]?.mode).toBe('700');
  });

  test('of this rotation are never overwritten by what it has half changed', async () => {
    const scene = await begin();
    await steps.backUp(scene);
    const before = await readTree(scene.world.node.path(folder));
    await run(scene, ['trust', 'sign', 'switchControllerManager', 'backUp', 'untrust', 'backUp']);
    expect(await readTree(scene.world.node.path(folder))).toEqual(before);
  });

  test('may keep the manifests; private keys go with the rotation', async () => {
    const scene = await begin();
    await run(scene, ['backUp', 'trust', 'sign', 'switchControllerManager', 'untrust', 'restoreControllerManager']);
    for (let twice = 0; twice < 2; twice += 1) {
      await scene.world.platform.retire(scene.world.layout, next, ROTATION_ID, 'keep-manifests');
      const tree = await readTree(scene.world.node.path(folder));
      const left = Object.entries(tree).filter(([, { content }]) => content !== null);
      expect(left.map(([path]) => path.split('/').at(-1))).toEqual([
        'kube-apiserver.yaml',
        'kube-controller-manager.yaml',
      ]);
    }
    const everything = JSON.stringify(await readTree(scene.world.root));
    expect(everything).not.toContain(former.privatePem.split('\n')[1]);
  });

  test('are not made where a key file is missing', async () => {
    const scene = await begin();
    await rm(scene.world.node.path('pki/sa.pub'));
    await expect(steps.backUp(scene)).rejects.toMatchObject({ code: 'KEY_NOT_FOUND' });
  });
});

describe('refusals', () => {
  test('Signing before this API server trusts the key: nothing is changed, no private key is brought', async () => {
    const scene = await begin();
    const before = await readTree(scene.world.root);
    await expect(steps.sign(scene)).rejects.toMatchObject({ code: 'GUARD_FAILED', retryable: false });
    expect(await readTree(scene.world.root)).toEqual(before);
  });

  test('Signing where the manifest trusts the key, but the process does not yet', async () => {
    const scene = await begin();
    scene.world.node.ignores = () => true;
    scene.world.node.files.dieAt(2, 'after');
    await expect(steps.trust(scene)).rejects.toThrow('kube-apiserver.yaml');
    scene.world.node.files.dieNever();
    expect(scene.world.node.manifest()).toContain(next.kid);
    await expect(steps.sign(scene)).rejects.toMatchObject({ code: 'GUARD_FAILED' });
  });

  test('Distrusting the key that this API server signs with', async () => {
    const scene = await begin();
    await run(scene, ['backUp', 'trust', 'sign']);
    const before = await readTree(scene.world.root);
    await expect(steps.distrust(scene)).rejects.toMatchObject({ code: 'GUARD_FAILED' });
    expect(await readTree(scene.world.root)).toEqual(before);
  });

  test.for([[['backUp']], [['backUp', 'trust']]] as const)('Untrusting after %s only', async ([done]) => {
    const scene = await begin();
    await run(scene, done);
    const before = await readTree(scene.world.root);
    await expect(steps.untrust(scene)).rejects.toMatchObject({ code: expect.stringMatching(/GUARD_FAILED/) });
    expect(await readTree(scene.world.root)).toEqual(before);
  });

  test('Untrusting where somebody has put a third key in the former’s place: it stays', async () => {
    const scene = await begin();
    await run(scene, ['backUp', 'trust', 'sign', 'switchControllerManager']);
    const theirs = ecKeyPair();
    await writeFile(scene.world.node.path('pki/sa.key'), theirs.privatePem);
    await expect(steps.untrust(scene)).rejects.toMatchObject({ code: 'KEY_MISMATCHED' });
    const tree = await readTree(scene.world.node.directory);
    expect(tree['pki/sa.key']?.content).toBe(theirs.privatePem);
    expect(tree['pki/sa.pub']?.content).toBe(former.publicPem);
  });

  test.for([
    ['before Untrusting', ['backUp', 'trust', 'sign', 'switchControllerManager']],
    [
      'while the controller manager still reads the key',
      ['backUp', 'trust', 'sign', 'switchControllerManager', 'untrust'],
    ],
  ] as const)('Retiring %s', async ([, done]) => {
    const scene = await begin();
    await run(scene, done);
    const before = await readTree(scene.world.root);
    await expect(steps.retire(scene)).rejects.toMatchObject({
      code: 'GUARD_FAILED',
      message: expect.stringContaining(next.kid),
    });
    expect(await readTree(scene.world.root)).toEqual(before);
  });

  test('switching a controller manager before the private key was brought', async () => {
    const scene = await begin();
    await expect(steps.switchControllerManager(scene)).rejects.toMatchObject({ code: 'KEY_NOT_FOUND' });
  });

  test('restoring a controller manager that reads neither key of the rotation', async () => {
    const scene = await begin();
    const file = scene.world.node.path('manifests/kube-controller-manager.yaml');
    await writeFile(file, scene.world.node.manifest('kube-controller-manager').replace('pki/sa.key', 'pki/ours.key'));
    await expect(steps.restoreControllerManager(scene)).rejects.toMatchObject({
      code: 'FILE_CHANGED',
      retryable: false,
    });
  });

  test('a node that is not configured', async () => {
    const scene = await begin();
    const layout = { ...scene.world.layout, node: 'node-9' };
    const trust = scene.world.platform.trust(layout, next, freely());
    await expect(trust).rejects.toMatchObject({ code: 'CONFIG_INVALID', subject: 'node-9' });
  });
});

test('no error, proof or progress ever holds a private key', async () => {
  const scene = await begin();
  const said: unknown[] = [];
  const control = { signal: new AbortController().signal, report: (progress: string) => void said.push(progress) };
  await run(scene, ['backUp', 'trust']);
  said.push(await steps.sign(scene, 0, control), await steps.switchControllerManager(scene, 0, control));
  await chmod(scene.world.node.path('pki/sa.key'), 0o400);
  const before = scene.world.node.manifest();
  scene.world.node.refuses = (manifest) => manifest !== before;
  const refused = await steps.untrust(scene, 0, control).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(KeyturnError);
  said.push(refused, String(refused), (refused as KeyturnError).stack, (refused as KeyturnError).cause);
  for (const pem of [former.privatePem, next.privatePem]) {
    for (const line of pem.split('\n').slice(1, -2)) expect(JSON.stringify(said)).not.toContain(line);
  }
  expect(said.length).toBeGreaterThan(20);
});
