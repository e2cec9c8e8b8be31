// Writes the keyturn.yaml of the demo and the tests: what there is decides what it says.
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import type { BlobStore } from './blob-store.ts';
import type { ControlPlane } from './control-plane/control-plane.ts';
import type { KubeletBed } from './kubelet/kubelet-bed.ts';

type Fields = Readonly<Record<string, unknown>>;

type NodeAccess = 'local' | 'pod' | 'ssh';

export interface KeyturnConfigOptions {
  /** Name of the cluster in keyturn.yaml. Default `demo`. */
  readonly cluster?: string;
  /**
   * How the worker reaches the files of nodes. Default: those of the embedded control plane are its own (`local`), those of real nodes
   * it reaches through agent pods (`pod`).
   */
  readonly nodeAccess?: NodeAccess;
  /** Other fields of the platform, as written there. */
  readonly platformFields?: Fields;
  /** `policies`, as written there. */
  readonly policies?: Fields;
  /** Other fields of the cluster, as written there. */
  readonly clusterFields?: Fields;
}

export function nodeAccessOf({ nodeAccess }: KeyturnConfigOptions, bed: KubeletBed | undefined): NodeAccess {
  return nodeAccess ?? (bed === undefined ? 'local' : 'pod');
}

/** Gives the name of the cluster. The keys that it names lie in the same folder. */
export async function writeKeyturnConfig(
  file: string,
  options: KeyturnConfigOptions,
  blobStore: BlobStore,
  controlPlane: ControlPlane,
  bed: KubeletBed | undefined,
): Promise<string> {
  const directory = path.dirname(file);
  const wrappingKeyFile = path.join(directory, 'wrapping.key');
  await writeFile(wrappingKeyFile, randomBytes(32).toString('base64'), { mode: 0o600 });
  const { cluster = 'demo' } = options;
  const access = nodeAccessOf(options, bed);
  const config = {
    auditDirectory: path.join(directory, 'audit'),
    clusters: [
      {
        name: cluster,
        platform: {
          type: 'static-pod',
          kubeconfig: controlPlane.keyturnKubeconfigPath,
          ...accessFields(access, bed),
          nodes: controlPlane.nodes.map(({ name, manifestsDirectory, controllerManagerUrl }) => ({
            name,
            // A folder of this machine, which stands for the node. On real nodes the path is kubeadm's, and kubelet tells of the controller manager.
            ...(access === 'local' ? { manifests: manifestsDirectory, controllerManager: controllerManagerUrl } : {}),
          })),
          ...options.platformFields,
        },
        issuer: controlPlane.issuer,
        issuerCaFile: blobStore.caPath,
        relyingParties: ['azure'],
        publisher: {
          type: 'azure-blob',
          container: blobStore.containerUrl,
          credentials: { connectionString: { env: 'DEMO_BLOB_CONNECTION' } },
        },
        keyStore: {
          type: 'encrypted-file',
          directory: path.join(directory, 'keys'),
          wrappingKey: { file: wrappingKeyFile },
        },
        policies: options.policies ?? {},
        ...options.clusterFields,
      },
    ],
  };
  await writeFile(file, stringify(config));
  return cluster;
}

function accessFields(access: NodeAccess, bed: KubeletBed | undefined): Fields {
  if (access === 'local') return {};
  if (bed === undefined) throw new RangeError(`access "${access}" needs real nodes`);
  return access === 'ssh'
    ? { access, ssh: { configFile: bed.ssh.configFile } }
    : { access, pod: { image: bed.shellImage, imagePullPolicy: 'Never' } };
}
