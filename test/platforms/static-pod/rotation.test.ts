// A rotation of static pods from the first step to the last, and all the way back, over a simulated kubelet.
import { watch } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { readTree } from '../../fakes/file-tree.ts';
import { StaticPodWorld, formerPrivateOwner, formerPublicOwner } from '../../fakes/static-pod-world.ts';
import type { WorldOptions } from '../../fakes/static-pod-world.ts';
import { ecKeyPair, rsaKeyPair } from './key-pairs.ts';
import { FORWARD, LAYOUTS, THERE_AND_BACK, run, steps } from './steps.ts';
import type { Scene, Step } from './steps.ts';

let world: StaticPodWorld | undefined;
afterEach(() => world?.remove());

const former = ecKeyPair();
const next = ecKeyPair();

async function create(options: Partial<WorldOptions> = {}): Promise<Scene> {
  world = await StaticPodWorld.create({ former, ...options });
  return { world, former, next };
}

describe.for(LAYOUTS)('%s: a rotation of one node', (keyLayout) => {
  const begin = (options: Partial<WorldOptions> = {}) => create({ ...options, keyLayout });

  test('leaves the manifests as they were, and the new pair where the former lay', async () => {
    const scene = await begin();
    const before = await readTree(scene.world.node.directory);
    await run(scene, FORWARD);
    scene.world.settle();
    const after = await readTree(scene.world.node.directory);
    expect(after).toEqual({
      ...before,
      'pki/sa.pub': { ...before['pki/sa.pub'], content: next.publicPem },
      'pki/sa.key': { ...before['pki/sa.key'], content: next.privatePem },
    });
    expect(scene.world.node.publishedKids).toEqual([next.kid]);
    expect(scene.world.node.signingKid).toBe(next.kid);
    expect(scene.world.node.controllerManagerKid).toBe(next.kid);
  });

  test('works on what the one before it left, from EC to RSA', async () => {
    const scene = await begin();
    const before = await readTree(scene.world.node.directory);
    await run(scene, FORWARD);
    const second: Scene = { world: scene.world, former: next, next: rsaKeyPair() };
    await run(second, FORWARD);
    const after = await readTree(scene.world.node.directory);
    expect(after).toEqual({
      ...before,
      'pki/sa.pub': { ...before['pki/sa.pub'], content: second.next.publicPem },
      'pki/sa.key': { ...before['pki/sa.key'], content: second.next.privatePem },
    });
    expect(scene.world.node.publishedKids).toEqual([second.next.kid]);
  });

  test('taken back after Signing, leaves every file as it was', async () => {
    const scene = await begin();
    const before = await readTree(scene.world.node.directory);
    await run(scene, THERE_AND_BACK);
    scene.world.settle();
    expect(await readTree(scene.world.node.directory)).toEqual(before);
    expect(scene.world.node.publishedKids).toEqual([former.kid]);
    expect(scene.world.node.signingKid).toBe(former.kid);
    expect(scene.world.node.controllerManagerKid).toBe(former.kid);
  });

  test('taken back in the other order, leaves every file as it was too', async () => {
    const scene = await begin();
    const before = await readTree(scene.world.node.directory);
    await run(scene, ['backUp', 'trust', 'sign', 'switchControllerManager']);
    await run(scene, ['signWithFormer', 'restoreControllerManager', 'distrust', 'removeBackUp']);
    scene.world.settle();
    expect(await readTree(scene.world.node.directory)).toEqual(before);
    expect(scene.world.node.controllerManagerKid).toBe(former.kid);
  });

  test('never shows kubelet any file but the manifest itself', async () => {
    const scene = await begin();
    const names: string[] = [];
    const watcher = watch(scene.world.node.path('manifests'), (_, name) => void names.push(name ?? ''));
    await run(scene, FORWARD);
    await new Promise((resolve) => setTimeout(resolve, 50));
    watcher.close();
    expect([...new Set(names)].toSorted()).toEqual(['kube-apiserver.yaml', 'kube-controller-manager.yaml']);
  });
});

test.for(LAYOUTS)(
  '%s: other keys in the verification file stay byte for byte, whatever stands around them',
  async (keyLayout) => {
    const [before, after] = [ecKeyPair(), rsaKeyPair()];
    const foreign = `# kept for the old cluster\r\n${before.publicPem.replaceAll('\n', '\r\n')}\n\n${after.publicPem.trimEnd()}`;
    const scene = await create({ otherKeys: foreign, keyLayout });
    await run(scene, FORWARD);
    expect((await readTree(scene.world.node.directory))['pki/sa.pub']?.content).toBe(next.publicPem + foreign);
    expect(scene.world.node.publishedKids).toEqual([next.kid, before.kid, after.kid]);
  },
);

test('a private key file that is a verification key file too is replaced once, as a private key', async () => {
  const scene = await create({
    apiServerManifest: (pki) => kubeadmLike(pki, ['/etc/kubernetes/pki/sa.key']),
  });
  const trustedKeyFiles = ['/etc/kubernetes/pki/sa.key'];
  Object.assign(scene.world.layouts[0]!, { trustedKeyFiles });
  const before = await readTree(scene.world.node.directory);
  await run(scene, FORWARD);
  const after = await readTree(scene.world.node.directory);
  expect(after).toEqual({ ...before, 'pki/sa.key': { ...before['pki/sa.key'], content: next.privatePem } });
  expect(scene.world.node.publishedKids).toEqual([next.kid]);
});

test('a key that the API server knew from another file already is trusted anew, untrusted, and never twice there', async () => {
  const scene = await create({ otherKeys: next.publicPem });
  const before = await readTree(scene.world.node.directory);
  expect(await steps.trust(scene)).toMatchObject({ changed: true });
  expect(scene.world.node.publishedKids).toEqual([former.kid, next.kid, next.kid]);
  expect(await steps.distrust(scene)).toMatchObject({ changed: true });
  expect(scene.world.node.publishedKids).toEqual([former.kid, next.kid]);
  expect(await readTree(scene.world.node.directory)).toEqual(before);
  await run(scene, FORWARD);
  expect((await readTree(scene.world.node.directory))['pki/sa.pub']?.content).toBe(next.publicPem);
  expect(scene.world.node.publishedKids).toEqual([next.kid]);
});

test.for(LAYOUTS)(
  '%s: a controller manager with a key directory of its own gets the new key there',
  async (keyLayout) => {
    const scene = await create({ keyLayout });
    const own = scene.world.node.path('cm');
    const { files } = scene.world.node;
    const source = scene.world.node.manifest('kube-controller-manager').replaceAll(scene.world.node.path('pki'), own);
    await files.write(`${own}/sa.key`, former.privatePem, { mode: 0o400, ...formerPublicOwner });
    await files.write(scene.world.node.path('manifests/kube-controller-manager.yaml'), source, {
      mode: 0o600,
      ...formerPrivateOwner,
    });
    scene.world.settle();
    const before = await readTree(scene.world.node.directory);
    await run(scene, ['backUp', 'trust', 'sign', 'switchControllerManager']);
    expect(scene.world.node.controllerManagerKid).toBe(next.kid);
    const brought = keyLayout === 'flags' ? `sa-${next.kid}.key` : 'sa.key';
    expect((await readTree(own))[brought]).toMatchObject({
      mode: keyLayout === 'flags' ? '600' : '400',
      content: next.privatePem,
    });
    await run(scene, ['untrust', 'settleControllerManager', 'retire']);
    expect(await readTree(scene.world.node.directory)).toEqual({
      ...before,
      'pki/sa.pub': { ...before['pki/sa.pub'], content: next.publicPem },
      'pki/sa.key': { ...before['pki/sa.key'], content: next.privatePem },
      'cm/sa.key': { ...before['cm/sa.key'], content: next.privatePem },
    });
  },
);

test.for(LAYOUTS)(
  '%s: three nodes, phase by phase: at most one API server down, none signs with what another does not trust',
  async (keyLayout) => {
    const scene = await create({ keyLayout, nodes: ['node-1', 'node-2', 'node-3'] });
    const phases = [
      ['backUp'],
      ['trust'],
      ['sign', 'switchControllerManager'],
      ['untrust', 'settleControllerManager'],
      ['retire'],
    ] as const;
    for (const phase of phases) {
      for (const index of [0, 1, 2]) {
        for (const name of phase) await (steps[name] as Step)(scene, index);
      }
    }
    scene.world.settle();
    expect([...scene.world.violations]).toEqual([]);
    for (const node of scene.world.nodes) expect(node.publishedKids).toEqual([next.kid]);
  },
);

function kubeadmLike(pki: string, keyFiles: readonly string[]): string {
  return `kind: Pod
spec:
  containers:
  - name: kube-apiserver
    command: [kube-apiserver, ${keyFiles.map((file) => `--service-account-key-file=${file}`).join(', ')}]
    args:
    - --service-account-signing-key-file
    - /etc/kubernetes/pki/sa.key
    volumeMounts: [{name: pki, mountPath: /etc/kubernetes/pki}]
  volumes: [{name: pki, hostPath: {path: ${pki}}}]
`;
}
