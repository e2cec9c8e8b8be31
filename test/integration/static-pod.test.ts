// The static-pod platform on a real kube-apiserver and kube-controller-manager, step by step, without a workflow around it.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KubeApiServer } from '../../src/api-servers/api-server.ts';
import { createComponentProbe } from '../../src/api-servers/component-probe.ts';
import { KubeClient } from '../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../src/api-servers/kube-config.ts';
import { catalog } from '../../src/demo/components/catalog.ts';
import { getComponent } from '../../src/demo/components/get-component.ts';
import { startControlPlane, type ControlPlane } from '../../src/demo/control-plane/control-plane.ts';
import { parsePrivateKey } from '../../src/keys/pem.ts';
import { LocalNodeFiles } from '../../src/nodes/local.ts';
import { StaticPodPlatform } from '../../src/platforms/static-pod/static-pod.ts';
import { readTree } from '../fakes/file-tree.ts';
import { ecKeyPair, rsaKeyPair } from '../platforms/static-pod/key-pairs.ts';
import { freely } from '../platforms/static-pod/steps.ts';

const ROTATION_ID = 'integration-1';
let directory: string;
let controlPlane: ControlPlane;
let platform: StaticPodPlatform;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'keyturn-static-pod-'));
  controlPlane = await startControlPlane({
    directory: path.join(directory, 'plane'),
    components: {
      etcd: await getComponent(catalog.etcd),
      kubeApiServer: await getComponent(catalog['kube-apiserver']),
      kubeControllerManager: await getComponent(catalog['kube-controller-manager']),
    },
    nodes: 1,
  });
  const kubeConfig = await loadKubeConfig(controlPlane.keyturnKubeconfigPath);
  const client = new KubeClient(kubeConfig);
  const probe = { namespace: 'keyturn', name: 'keyturn-probe' };
  platform = new StaticPodPlatform({
    nodes: controlPlane.nodes.map(({ name, manifestsDirectory, apiServerUrl, controllerManagerUrl }) => ({
      name,
      files: new LocalNodeFiles(name),
      apiServer: new KubeApiServer({ node: name, client: client.at(apiServerUrl), probe }),
      manifestsDirectory,
      controllerManager: createComponentProbe(kubeConfig, controllerManagerUrl),
    })),
    readyTimeoutMs: 40_000,
    noticeMs: 3000,
    pollMs: 200,
  });
});

afterAll(async () => {
  await controlPlane?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** Manifests and key files, and what may have been left beside them; no logs. */
async function nodeTree() {
  const tree = await readTree(controlPlane.nodes[0]!.directory);
  return Object.fromEntries(Object.entries(tree).filter(([name]) => !name.startsWith('logs')));
}

async function formerKey() {
  const file = path.join(controlPlane.nodes[0]!.pkiDirectory, 'sa.key');
  return parsePrivateKey(await readFile(file, 'utf8'), file);
}

test.for([
  ['RSA', rsaKeyPair()],
  ['EC', ecKeyPair()],
] as const)('a rotation to %s leaves the manifests as they were', async ([, next]) => {
  const former = await formerKey();
  const before = await nodeTree();
  const observed = await platform.observe();
  expect(observed.problems).toEqual([]);
  expect(observed.apiServers).toMatchObject([
    { ready: true, etcdHealthy: true, trusted: [{ kid: former.kid }], signingKid: former.kid },
  ]);
  const [layout] = observed.layouts;
  if (layout === undefined) throw new Error('no layout');
  const trusted = async () => (await platform.observe()).apiServers[0]?.trusted.map(({ kid }) => kid);

  await platform.backUp(layout, ROTATION_ID);
  const steps = [
    () => platform.trust(layout, next, freely()),
    () => platform.sign(layout, former, next, freely()),
    () => platform.switchControllerManager(layout, next, freely()),
    () => platform.untrust(layout, former, next, freely()),
    () => platform.restoreControllerManager(layout, next, freely()),
  ];
  for (const [index, step] of steps.entries()) {
    const change = await step();
    expect(change.changed).toBe(true);
    expect(change.restartMs).toBeGreaterThan(100);
    // A second call finds it done and proven.
    expect(await step()).toMatchObject({ changed: false, restartMs: 0 });
    if (index < 3) expect(await trusted()).toEqual([former.kid, next.kid]);
  }
  await platform.retire(layout, next, ROTATION_ID, 'remove');
  expect(await trusted()).toEqual([next.kid]);
  expect(await nodeTree()).toEqual({
    ...before,
    'pki/sa.pub': { ...before['pki/sa.pub'], content: next.publicPem },
    'pki/sa.key': { ...before['pki/sa.key'], content: next.privatePem },
  });
});

test('an API server that cannot read the new key gets its manifest back, and Trusting taken back leaves nothing', async () => {
  const before = await nodeTree();
  const { layouts } = await platform.observe();
  const [layout] = layouts;
  if (layout === undefined) throw new Error('no layout');
  const broken = { ...ecKeyPair(), publicPem: '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n' };
  await expect(platform.trust(layout, broken, freely())).rejects.toMatchObject({
    code: 'MANIFEST_REFUSED',
    details: { manifestBack: true, runsAgain: true },
  });
  expect((await platform.observe()).apiServers).toMatchObject([{ ready: true }]);
  await platform.distrust(layout, broken, freely());
  expect(await nodeTree()).toEqual(before);
});

test('a key that the API server knew already is published twice, so that its number proves a restart', async () => {
  const { layouts } = await platform.observe();
  const [layout] = layouts;
  if (layout === undefined) throw new Error('no layout');
  const known = await formerKey();
  const before = await nodeTree();
  expect(await platform.trust(layout, known, freely())).toMatchObject({ changed: true });
  expect((await platform.observe()).apiServers[0]?.trusted.map(({ kid }) => kid)).toEqual([known.kid, known.kid]);
  expect(await platform.distrust(layout, known, freely())).toMatchObject({ changed: true });
  expect(await nodeTree()).toEqual(before);
  expect(await readdir(controlPlane.nodes[0]!.manifestsDirectory)).toHaveLength(2);
});
