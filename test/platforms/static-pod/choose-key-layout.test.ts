// How a rotation will change the nodes: as configured, else by whether kubeadm looks after the manifests; and what would stop it in place half way.
import { rm, writeFile } from 'node:fs/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { KeyturnError } from '../../../src/errors.ts';
import { chooseKeyLayout, findInPlaceProblems } from '../../../src/platforms/static-pod/choose-key-layout.ts';
import type { NodeLayout } from '../../../src/rotation/observation.ts';
import { StaticPodWorld } from '../../fakes/static-pod-world.ts';
import { ecKeyPair } from './key-pairs.ts';

const ask = (answer: boolean) => async () => answer;

describe('the key layout', () => {
  test.each(['flags', 'in-place'] as const)(
    'is %s where that is configured, and the cluster is not asked',
    async (layout) => {
      const asked = () => Promise.reject(new Error('asked'));
      expect(await chooseKeyLayout(layout, asked)).toEqual({
        keyLayout: { layout, because: 'platform.keyLayout says so' },
        problems: [],
      });
    },
  );

  test.each([
    [true, 'in-place', 'the ConfigMap kube-system/kubeadm-config exists'],
    [false, 'flags', 'the ConfigMap kube-system/kubeadm-config does not exist'],
  ] as const)('where nothing is configured and kubeadm-config exists: %s, is %s', async (exists, layout, because) => {
    expect(await chooseKeyLayout(undefined, ask(exists))).toEqual({ keyLayout: { layout, because }, problems: [] });
  });

  test('is not guessed: a refusal to tell is a problem that says how to go on', async () => {
    const refused = new KeyturnError('API_SERVER_FORBIDDEN', 'Keyturn may not get configmaps', {
      subject: 'x',
      remedy: 'Allow it',
    });
    const { problems } = await chooseKeyLayout(undefined, () => Promise.reject(refused));
    expect(problems).toEqual([
      {
        code: 'API_SERVER_FORBIDDEN',
        subject: 'platform.keyLayout',
        message: expect.stringMatching(/Apply deploy\/rbac\.yaml.*in-place with kubeadm, flags without/),
      },
    ]);
  });

  test('leaves a defect a defect', async () => {
    await expect(chooseKeyLayout(undefined, () => Promise.reject(new TypeError('defect')))).rejects.toThrow('defect');
  });
});

describe('a rotation in place', () => {
  let world: StaticPodWorld | undefined;
  afterEach(() => world?.remove());

  async function problemsOf(
    prepare: (world: StaticPodWorld) => Promise<void>,
    layout: Partial<NodeLayout> = {},
  ): Promise<readonly string[]> {
    world = await StaticPodWorld.create({ former: ecKeyPair(), keyLayout: 'in-place' });
    const { node, root } = world;
    await prepare(world);
    const { name, files, apiServer } = node;
    const controlPlaneNode = { name, files, apiServer, manifestsDirectory: node.path('manifests') };
    const problems = await findInPlaceProblems(controlPlaneNode, { ...world.layout, ...layout });
    return problems.map(({ code, message }) => `${code} ${message.replaceAll(root, '')}`);
  }
  const nothing = async () => undefined;

  test('has nothing against the manifests of kubeadm', async () => {
    expect(await problemsOf(nothing)).toEqual([]);
  });

  test('needs a file of public keys', async () => {
    expect(await problemsOf(nothing, { trustedKeyFiles: ['/etc/kubernetes/pki/sa.key'] })).toEqual([
      expect.stringMatching(
        /^MANIFEST_UNSUPPORTED The API server of node-1 has no file of public keys only.*keyLayout: flags/,
      ),
    ]);
  });

  test('needs manifests that take an annotation, and tells of each one', async () => {
    const emptyAnnotations = async ({ node }: StaticPodWorld) => {
      for (const component of ['kube-apiserver', 'kube-controller-manager'] as const) {
        const manifest = node.manifest(component).replace('metadata:\n', 'metadata:\n  annotations:\n');
        await writeFile(node.path(`manifests/${component}.yaml`), manifest);
      }
    };
    expect(await problemsOf(emptyAnnotations)).toEqual([
      expect.stringMatching(/^MANIFEST_UNSUPPORTED .*kube-apiserver.*annotations/),
      expect.stringMatching(/^MANIFEST_UNSUPPORTED .*kube-controller-manager.*annotations/),
    ]);
  });

  test('tells what cannot be read', async () => {
    const problems = await problemsOf(({ node }) => rm(node.path('manifests/kube-controller-manager.yaml')));
    expect([...new Set(problems)]).toEqual([expect.stringMatching(/^MANIFEST_UNREADABLE .*kube-controller-manager/)]);
  });
});
