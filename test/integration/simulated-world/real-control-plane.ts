// A real control plane that scenes can be done to: files, manifests and processes of its nodes, as the simulation has them.
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeApiServer } from '../../../src/api-servers/api-server.ts';
import { createComponentProbe, type KubeComponentProbe } from '../../../src/api-servers/component-probe.ts';
import { sendHttps } from '../../../src/api-servers/https-request.ts';
import { KubeClient } from '../../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../../src/api-servers/kube-config.ts';
import { presentCredentials } from '../../../src/api-servers/kube-credentials.ts';
import { catalog } from '../../../src/demo/components/catalog.ts';
import { getComponent } from '../../../src/demo/components/get-component.ts';
import {
  startControlPlane,
  type ControlPlaneNodeInfo,
  type EmbeddedControlPlane,
} from '../../../src/demo/control-plane/control-plane.ts';
import type { SigningKey } from '../../../src/keys/signing-key.ts';
import { parsePrivateKey } from '../../../src/keys/pem.ts';
import { LocalNodeFiles } from '../../../src/nodes/local.ts';
import { StaticPodPlatform } from '../../../src/platforms/static-pod/static-pod.ts';
import type { NodeLayout } from '../../../src/rotation/observation.ts';
import { rsaKeyPair } from '../../platforms/static-pod/key-pairs.ts';
import { FOREIGN, FORMER, NEXT, OTHER, type Keys } from '../../simulation/keys.ts';
import { makeNode, type Disk } from '../../simulation/node.ts';
import { NODES, type Component, type NodeName } from './scenes.ts';

const RESTART_TIMEOUT_MS = 60_000;
const PKI = '/etc/kubernetes/pki';
const AS_SET_UP = makeNode('').disk;

export interface RealNode extends ControlPlaneNodeInfo {
  readonly apiServer: KubeApiServer;
  readonly controllerManager: KubeComponentProbe;
  /** Of its controller manager; empty where that does not answer. */
  metrics(): Promise<string>;
  /** As they were set up. */
  readonly manifests: Readonly<Record<'kube-apiserver' | 'kube-controller-manager', string>>;
  disk: Disk;
  /** False after a start that failed. */
  isUp: boolean;
  /** Something was done to it since it was set up. */
  isChanged: boolean;
}

export class RealControlPlane {
  readonly keys: ReadonlyMap<Keys, SigningKey>;
  readonly nodes: readonly RealNode[];
  readonly platform: StaticPodPlatform;
  readonly layouts: readonly NodeLayout[];
  readonly admin: KubeClient;
  readonly issuer: string;
  private readonly plane: EmbeddedControlPlane;

  static async start(directory: string): Promise<RealControlPlane> {
    const plane = await startControlPlane({
      directory,
      components: {
        etcd: await getComponent(catalog.etcd),
        kubeApiServer: await getComponent(catalog['kube-apiserver']),
        kubeControllerManager: await getComponent(catalog['kube-controller-manager']),
      },
      nodes: NODES.length,
      apiServerGracePeriodSeconds: 1,
      // Whoever is asked answers: a lease of one that was killed would last for a quarter of a minute.
      controllerManagerFlags: { 'leader-elect': 'false' },
    });
    try {
      return await RealControlPlane.of(plane);
    } catch (error) {
      await plane.stop();
      throw error;
    }
  }

  private static async of(plane: EmbeddedControlPlane): Promise<RealControlPlane> {
    const kubeConfig = await loadKubeConfig(plane.adminKubeconfigPath);
    const admin = new KubeClient(kubeConfig);
    const probe = { namespace: 'keyturn', name: 'keyturn-probe' };
    const nodes = await Promise.all(
      plane.nodes.map(async (node): Promise<RealNode> => {
        const read = (pod: string) => readFile(path.join(node.manifestsDirectory, `${pod}.yaml`), 'utf8');
        const { name, directory, manifestsDirectory, pkiDirectory, apiServerUrl, controllerManagerUrl } = node;
        return {
          name,
          directory,
          manifestsDirectory,
          pkiDirectory,
          apiServerUrl,
          controllerManagerUrl,
          apiServer: new KubeApiServer({ node: name, client: admin.at(apiServerUrl), probe }),
          controllerManager: createComponentProbe(kubeConfig, controllerManagerUrl),
          metrics: async () => {
            const { tls, headers } = await presentCredentials(kubeConfig);
            const url = `${controllerManagerUrl}/metrics`;
            // Its certificate is one that it made for itself.
            const insecure = { cert: tls.cert, key: tls.key, rejectUnauthorized: false };
            const asked = sendHttps({ method: 'GET', url, headers, timeoutMs: 3000, repeatable: true, tls: insecure });
            return asked.then(
              ({ body }) => body,
              () => '',
            );
          },
          manifests: {
            'kube-apiserver': await read('kube-apiserver'),
            'kube-controller-manager': await read('kube-controller-manager'),
          },
          disk: AS_SET_UP,
          isUp: true,
          isChanged: true,
        };
      }),
    );
    const file = path.join(nodes[0]!.pkiDirectory, 'sa.key');
    return new RealControlPlane(plane, nodes, admin, parsePrivateKey(await readFile(file, 'utf8'), file));
  }

  private constructor(plane: EmbeddedControlPlane, nodes: readonly RealNode[], admin: KubeClient, former: SigningKey) {
    this.plane = plane;
    this.nodes = nodes;
    this.admin = admin;
    this.issuer = plane.issuer;
    this.keys = new Map([
      [FORMER, former],
      [NEXT, rsaKeyPair()],
      [FOREIGN, rsaKeyPair()],
      [OTHER, rsaKeyPair()],
    ]);
    this.platform = new StaticPodPlatform({
      nodes: nodes.map((node) => ({ ...node, files: new LocalNodeFiles(node.name) })),
      readyTimeoutMs: RESTART_TIMEOUT_MS,
      noticeMs: 3000,
      pollMs: 100,
      keyLayout: 'flags',
    });
    this.layouts = nodes.map(({ name }) => ({
      node: name,
      signingKeyFile: `${PKI}/sa.key`,
      trustedKeyFiles: [`${PKI}/sa.pub`],
      controllerManagerKeyFile: `${PKI}/sa.key`,
      keyLayout: 'flags',
    }));
  }

  async stop(): Promise<void> {
    await this.plane.stop();
  }

  key(key: Keys): SigningKey {
    const found = this.keys.get(key);
    if (found === undefined) throw new Error(`no key ${key}`);
    return found;
  }

  node(name: string): RealNode {
    const found = this.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`no ${name}`);
    return found;
  }

  /** Everything is as it was set up, and was started with it. */
  async setUp(): Promise<void> {
    await Promise.all(this.nodes.filter(({ isChanged }) => isChanged).map((node) => this.setUpNode(node)));
  }

  private async setUpNode(node: RealNode): Promise<void> {
    const read = (pod: string) => readFile(path.join(node.manifestsDirectory, `${pod}.yaml`), 'utf8');
    await this.restarted(node, ['API server', 'controller manager'], async () => {
      await this.writeFiles(node, AS_SET_UP);
      for (const [pod, text] of Object.entries(node.manifests)) {
        if ((await read(pod)) !== text) await writeFile(path.join(node.manifestsDirectory, `${pod}.yaml`), text);
        else await this.kill(pod === 'kube-apiserver' ? 'API server' : 'controller manager', node);
      }
    });
    node.disk = AS_SET_UP;
    node.isChanged = false;
  }

  /** By hand. */
  async edit(name: NodeName, change: Partial<Disk>): Promise<void> {
    const node = this.node(name);
    const former = node.disk;
    const disk = { ...former, ...change };
    node.disk = disk;
    node.isChanged = true;
    const isApiServer = disk.trustsNamed !== former.trustsNamed || disk.signsNamed !== former.signsNamed;
    const isManager = disk.managerNamed !== former.managerNamed;
    const restarted: readonly Component[] = [
      ...(isApiServer ? (['API server'] as const) : []),
      ...(isManager ? (['controller manager'] as const) : []),
    ];
    await this.restarted(node, restarted, async () => {
      await this.writeFiles(node, disk);
      if (isApiServer) await this.writeManifest(node, 'kube-apiserver');
      if (isManager) await this.writeManifest(node, 'kube-controller-manager');
    });
  }

  async die(component: Component, name: NodeName): Promise<void> {
    const node = this.node(name);
    node.isChanged = true;
    await this.restarted(node, [component], () => this.kill(component, node));
  }

  private kill(component: Component, { name }: RealNode): Promise<void> {
    return component === 'API server' ? this.plane.killApiServer(name) : this.plane.killControllerManager(name);
  }

  /** sa.pub, sa.key, and the files named by kid. */
  pathsOf({ pkiDirectory }: RealNode): Readonly<Record<'pub' | 'key' | 'namedPub' | 'namedKey', string>> {
    const named = path.join(pkiDirectory, `sa-${this.key(NEXT).kid}`);
    return {
      pub: path.join(pkiDirectory, 'sa.pub'),
      key: path.join(pkiDirectory, 'sa.key'),
      namedPub: `${named}.pub`,
      namedKey: `${named}.key`,
    };
  }

  private async writeFiles(node: RealNode, disk: Disk): Promise<void> {
    const paths = this.pathsOf(node);
    const keysOf = (keys: Keys) => [...this.keys].filter(([key]) => (keys & key) !== 0).map(([, key]) => key);
    const write = async (file: string, text: string) =>
      text === '' ? rm(file, { force: true }) : writeFile(file, text);
    const publicPem = (keys: Keys) =>
      keysOf(keys)
        .map((key) => key.publicPem)
        .join('');
    const privatePem = (keys: Keys) =>
      keysOf(keys)
        .map((key) => key.privatePem)
        .join('');
    await write(paths.pub, publicPem(disk.pub));
    await write(paths.key, privatePem(disk.key));
    await write(paths.namedPub, publicPem(disk.namedPub));
    await write(paths.namedKey, privatePem(disk.namedKey));
  }

  private async writeManifest(node: RealNode, pod: keyof RealNode['manifests']): Promise<void> {
    const { trustsNamed, signsNamed, managerNamed } = node.disk;
    const named = `${PKI}/sa-${this.key(NEXT).kid}`;
    const trusts = `    - --service-account-key-file=${PKI}/sa.pub\n`;
    const signs = `--service-account-signing-key-file=`;
    const manager = `--service-account-private-key-file=`;
    let text = node.manifests[pod];
    if (trustsNamed) text = text.replace(trusts, `${trusts}    - --service-account-key-file=${named}.pub\n`);
    if (signsNamed) text = text.replace(`${signs}${PKI}/sa.key`, `${signs}${named}.key`);
    if (managerNamed) text = text.replace(`${manager}${PKI}/sa.key`, `${manager}${named}.key`);
    await writeFile(path.join(node.manifestsDirectory, `${pod}.yaml`), text);
  }

  /** Settles when each of them runs as a new process, or has ended because it could not start. */
  private async restarted(
    node: RealNode,
    components: readonly Component[],
    change: () => Promise<void>,
  ): Promise<void> {
    const restarts = () => this.plane.apiServerRestarts(node.name).length;
    const before = {
      restarts: restarts(),
      failures: await failedStarts(node),
      since: await node.controllerManager.startTime(),
    };
    await change();
    const managerIsNew = async () => {
      const since = await node.controllerManager.startTime();
      return since !== undefined && since !== before.since && (await hasStarted(node));
    };
    if (components.includes('API server')) {
      await until(`the API server of ${node.name} is started again`, async () => {
        node.isUp = restarts() > before.restarts;
        return node.isUp || (await failedStarts(node)) > before.failures;
      });
    }
    if (components.includes('controller manager')) {
      await until(`the controller manager of ${node.name} is started again`, managerIsNew);
    }
  }
}

/**
 * The controllers of its controller manager run: no more of their queues come. Before, it has perhaps not read its key, and it ends by itself where it
 * loses its API server (seen with 1.37.2).
 */
async function hasStarted(node: RealNode): Promise<boolean> {
  const countQueues = async () => (await node.metrics()).match(/^workqueue_adds_total\{/gm)?.length ?? 0;
  const count = await countQueues();
  await sleep(2000);
  return count > 0 && count === (await countQueues());
}

/** How often the API server has ended by itself, with a code. */
async function failedStarts({ directory }: RealNode): Promise<number> {
  const log = await readFile(path.join(directory, 'logs', 'runner.log'), 'utf8');
  return log.match(/kube-apiserver: exited with \d+/g)?.length ?? 0;
}

export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + RESTART_TIMEOUT_MS; !(await isSo()); await sleep(100)) {
    if (Date.now() > deadline) throw new Error(`not so after ${RESTART_TIMEOUT_MS / 1000} s: ${what}`);
  }
}
