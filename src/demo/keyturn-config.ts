// Writes the keyturn.yaml of the demo and the tests: what there is decides what it says.
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import type { BlobStore } from './blob-store.ts';
import type { ControlPlane, ControlPlaneNodeInfo } from './control-plane/control-plane.ts';

type Fields = Readonly<Record<string, unknown>>;

export interface KeyturnConfigOptions {
  /** Name of the cluster in keyturn.yaml. Default `demo`. */
  readonly cluster?: string;
  /** How the worker reaches the files of a node: fields of the node, as written there. Default: it sees them as its own. */
  readonly nodeAccess?: (node: ControlPlaneNodeInfo, controlPlane: ControlPlane) => Fields;
  /** Other fields of the platform, as written there. */
  readonly platformFields?: Fields;
  /** `policies`, as written there. */
  readonly policies?: Fields;
  /** Other fields of the cluster, as written there. */
  readonly clusterFields?: Fields;
}

/** Gives the name of the cluster. The keys that it names lie in the same folder. */
export async function writeKeyturnConfig(
  file: string,
  options: KeyturnConfigOptions,
  blobStore: BlobStore,
  controlPlane: ControlPlane,
): Promise<string> {
  const directory = path.dirname(file);
  const wrappingKeyFile = path.join(directory, 'wrapping.key');
  await writeFile(wrappingKeyFile, randomBytes(32).toString('base64'), { mode: 0o600 });
  const { cluster = 'demo', nodeAccess = seenLocally } = options;
  const config = {
    auditDirectory: path.join(directory, 'audit'),
    clusters: [
      {
        name: cluster,
        platform: {
          type: 'static-pod',
          kubeconfig: controlPlane.keyturnKubeconfigPath,
          nodes: controlPlane.nodes.map((node) => ({
            name: node.name,
            controllerManager: node.controllerManagerUrl,
            ...nodeAccess(node, controlPlane),
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

/** The embedded control plane's nodes are folders of this machine, and their manifests say so. */
function seenLocally({ manifestsDirectory }: ControlPlaneNodeInfo): Fields {
  return { manifests: manifestsDirectory };
}
