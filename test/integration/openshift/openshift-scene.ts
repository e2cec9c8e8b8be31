// A cluster of two real API servers in which OpenShift's operator (a stand-in of ours) runs signing keys, with a worker's configuration for it.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { KubeClient } from '../../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../../src/api-servers/kube-config.ts';
import { applyManifest } from '../../../src/demo/control-plane/apply-manifest.ts';
import { parsePublicKeys } from '../../../src/keys/pem.ts';
import { decode, installObjects, PATHS } from '../../fixtures/openshift-objects.ts';
import { StandInOperator } from '../../fixtures/openshift-operator.ts';
import { openScene, type Scene } from '../rotation-scene.ts';

export interface OpenShiftScene {
  readonly scene: Scene;
  readonly admin: KubeClient;
  readonly operator: StandInOperator;
  /** The rights of deploy/rbac-openshift.yaml. */
  grantRights(): Promise<void>;
  read<T>(object: string): Promise<T | null>;
  /** kids of the ConfigMap's entries, in the order of their names. */
  trustedByOperator(): Promise<readonly string[]>;
  /** kid of the pair in one of the operator's Secrets; null where there is none. */
  kidOf(object: string): Promise<string | null>;
  close(): Promise<void>;
}

interface Data {
  readonly data?: Readonly<Record<string, string>>;
}

const RIGHTS = fileURLToPath(new URL('../../../deploy/rbac-openshift.yaml', import.meta.url));

export async function openOpenShift(): Promise<OpenShiftScene> {
  const scene = await openScene({ nodes: 2 });
  try {
    const { controlPlane } = scene;
    const admin = new KubeClient(await loadKubeConfig(controlPlane.adminKubeconfigPath));
    const pki = controlPlane.nodes[0]?.pkiDirectory ?? '';
    const pair = {
      privatePem: await readFile(path.join(pki, 'sa.key'), 'utf8'),
      publicPem: await readFile(path.join(pki, 'sa.pub'), 'utf8'),
    };
    await installObjects(controlPlane.adminKubeconfigPath, admin, controlPlane.issuer, pair);
    const operator = new StandInOperator(admin, controlPlane);
    operator.start();
    await configure(scene);
    return {
      scene,
      admin,
      operator,
      grantRights: () => applyManifest(controlPlane.adminKubeconfigPath, RIGHTS),
      read,
      trustedByOperator: async () => {
        const { data = {} } = (await read<Data>(PATHS.certs)) ?? {};
        const entries = Object.entries(data).toSorted(([a], [b]) => a.localeCompare(b));
        return entries.flatMap(([name, pem]) => parsePublicKeys(pem, name).map(({ kid }) => kid));
      },
      kidOf: async (object) => {
        const pem = (await read<Data>(object))?.data?.['service-account.pub'];
        return pem === undefined ? null : (parsePublicKeys(decode(pem), object)[0]?.kid ?? null);
      },
      close: async () => {
        await operator.stop();
        await scene.close();
      },
    };

    async function read<T>(object: string): Promise<T | null> {
      const { status, body } = await admin.call({ verb: 'get', path: object, resource: object }, [404]);
      return status === 404 ? null : (body as T);
    }
  } catch (error) {
    await scene.close();
    throw error;
  }
}

/** The environment's keyturn.yaml, with the platform of this cluster. */
async function configure({ configFile, controlPlane }: Scene): Promise<void> {
  const config = parse(await readFile(configFile, 'utf8')) as { clusters: Record<string, unknown>[] };
  const [cluster] = config.clusters;
  if (cluster === undefined) throw new Error('one cluster is configured');
  cluster['platform'] = {
    type: 'openshift',
    kubeconfig: controlPlane.keyturnKubeconfigPath,
    apiServers: controlPlane.nodes.map(({ name, apiServerUrl: url }) => ({ name, url })),
    timeout: '5m',
    restartAfter: '1s',
    pollInterval: '200ms',
  };
  await writeFile(configFile, stringify(config));
}
