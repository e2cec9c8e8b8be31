// Applies a YAML file of Kubernetes objects, as `kubectl apply --server-side` does.
import { readFile } from 'node:fs/promises';
import {
  KubeConfig,
  type KubernetesObject,
  KubernetesObjectApi,
  loadAllYaml,
  PatchStrategy,
} from '@kubernetes/client-node';

const fieldManager = 'keyturn-demo';

/** @throws the client's error where the API server refuses an object */
export async function applyManifest(kubeconfigPath: string, manifestPath: string): Promise<void> {
  await applyYaml(kubeconfigPath, await readFile(manifestPath, 'utf8'));
}

/** @throws the client's error where the API server refuses an object */
export async function applyYaml(kubeconfigPath: string, yaml: string): Promise<void> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfigPath);
  const api = KubernetesObjectApi.makeApiClient(config);
  const objects = loadAllYaml(yaml) as readonly (KubernetesObject | null)[];
  // One after the other: a namespace comes before what is in it.
  for (const object of objects) {
    if (object !== null) {
      await api.patch(object, undefined, undefined, fieldManager, true, PatchStrategy.ServerSideApply);
    }
  }
}
