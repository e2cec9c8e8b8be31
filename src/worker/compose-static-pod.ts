// Composes a cluster whose control plane is static pods: its nodes are reached as keyturn.yaml says.
import { KubeApiServer } from '../api-servers/api-server.ts';
import { KubeCluster } from '../api-servers/cluster.ts';
import { createComponentProbe } from '../api-servers/component-probe.ts';
import { createMirrorPodProbe } from '../api-servers/mirror-pod-probe.ts';
import type { ClusterOn, NodeConfig } from '../config/schema.ts';
import { StaticPodPlatform } from '../platforms/static-pod/static-pod.ts';
import { composeNodes } from './compose-nodes.ts';
import type { ComposedPlatform, PlatformSurroundings } from './compose-platform.ts';

export async function composeStaticPod({
  cluster,
  kubeConfig,
  client,
  resolve,
  access,
}: PlatformSurroundings<ClusterOn<'static-pod'>>): Promise<ComposedPlatform> {
  const { platform, policies } = cluster;
  const probe = { namespace: platform.namespace, name: platform.probeServiceAccount };
  const composed = await composeNodes(cluster, kubeConfig, resolve, access);
  const nodes = composed.nodes.map(({ config: node, files, manifestsDirectory, url }) => {
    const apiServer = new KubeApiServer({ node: node.name, client: client.at(url), probe });
    return { name: node.name, files, apiServer, manifestsDirectory, controllerManager: controllerManagerOf(node) };
  });

  function controllerManagerOf({ name, controllerManager }: NodeConfig) {
    return controllerManager === undefined
      ? createMirrorPodProbe(client, `kube-controller-manager-${name}`)
      : createComponentProbe(kubeConfig, controllerManager);
  }

  return {
    platform: new StaticPodPlatform({
      nodes,
      nodeAgents: composed.agents !== null,
      readyTimeoutMs: policies.readyTimeout,
      keyLayout: platform.keyLayout,
      kubeadmConfigExists: () => new KubeCluster({ client }).kubeadmConfigExists(),
    }),
    nodeAgents: composed.agents,
    apiServers: nodes.map(({ apiServer }) => apiServer),
    auditLogs: platform.nodes.flatMap(({ name, auditLog }, index) => {
      const files = nodes[index]?.files;
      return auditLog === undefined || files === undefined ? [] : [{ node: name, path: auditLog, files }];
    }),
  };
}
