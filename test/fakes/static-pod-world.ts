// Control-plane nodes in a temporary folder, with a simulated kubelet that runs what the manifests say, in virtual time.
import { chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SigningKey } from '../../src/keys/signing-key.ts';
import { StaticPodPlatform } from '../../src/platforms/static-pod/static-pod.ts';
import type { KeyLayout } from '../../src/rotation/key-layout.ts';
import type { NodeLayout } from '../../src/rotation/observation.ts';
import { FakeNode } from './static-pod-node.ts';

const POLL_MS = 500;
export const READY_TIMEOUT_MS = 60_000;

export interface WorldOptions {
  readonly former: SigningKey;
  readonly nodes?: readonly string[];
  /** Default: kubeadm's. */
  readonly apiServerManifest?: (pki: string) => string;
  readonly controllerManagerManifest?: (pki: string) => string;
  /** Further content of sa.pub after the former key. */
  readonly otherKeys?: string;
  readonly probeControllerManagers?: boolean;
  /** Default `flags`. */
  readonly keyLayout?: KeyLayout;
}

export class StaticPodWorld {
  readonly root: string;
  readonly nodes: readonly FakeNode[];
  readonly platform: StaticPodPlatform;
  readonly layouts: readonly NodeLayout[];
  /** Violations of what must hold at every moment, as they were seen. */
  readonly violations = new Set<string>();
  #now = Date.UTC(2026, 0, 1);

  static async create(options: WorldOptions): Promise<StaticPodWorld> {
    const root = await mkdtemp(join(tmpdir(), 'keyturn-world-'));
    const names = options.nodes ?? ['node-1'];
    for (const name of names) await writeNode(join(root, name), options);
    return new StaticPodWorld(root, names, options);
  }

  private constructor(root: string, names: readonly string[], options: WorldOptions) {
    this.root = root;
    this.nodes = names.map((name) => new FakeNode(name, join(root, name), () => this.#now));
    this.layouts = names.map((node) => ({
      node,
      signingKeyFile: '/etc/kubernetes/pki/sa.key',
      trustedKeyFiles: ['/etc/kubernetes/pki/sa.pub'],
      controllerManagerKeyFile: '/etc/kubernetes/pki/sa.key',
      keyLayout: options.keyLayout ?? 'flags',
    }));
    this.platform = new StaticPodPlatform({
      nodes: this.nodes.map(({ name, files, apiServer, directory, controllerManager }) => ({
        name,
        files,
        apiServer,
        manifestsDirectory: join(directory, 'manifests'),
        ...(options.probeControllerManagers === false ? {} : { controllerManager }),
      })),
      readyTimeoutMs: READY_TIMEOUT_MS,
      noticeMs: 10_000,
      pollMs: POLL_MS,
      clock: {
        now: () => this.#now,
        sleep: async (ms, signal) => {
          signal.throwIfAborted();
          this.advance(ms);
        },
      },
    });
    this.advance(0);
  }

  get node(): FakeNode {
    return this.nodes[0]!;
  }

  get layout(): NodeLayout {
    return this.layouts[0]!;
  }

  now(): number {
    return this.#now;
  }

  advance(ms: number): void {
    for (let passed = 0; passed <= ms; passed += POLL_MS / 2) {
      if (passed > 0) this.#now += POLL_MS / 2;
      for (const node of this.nodes) node.sync();
      this.#watch();
    }
  }

  /** Lets everything come that is still to come. */
  settle(): void {
    this.advance(30_000);
  }

  async remove(): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }

  #watch(): void {
    const running = this.nodes.filter((node) => node.isReady);
    if (running.length < this.nodes.length - 1) this.violations.add('more than one API server is down');
    for (const signer of running) {
      for (const other of running) {
        if (signer.signingKid === null || other.publishedKids.includes(signer.signingKid)) continue;
        this.violations.add(`${signer.name} signs with a key that ${other.name} does not trust`);
      }
    }
  }
}

const isRoot = process.getuid?.() === 0;
export const formerPrivateOwner = isRoot ? { uid: 101, gid: 102 } : { uid: process.getuid!(), gid: process.getgid!() };
export const formerPublicOwner = isRoot ? { uid: 103, gid: 104 } : formerPrivateOwner;

async function writeNode(directory: string, options: WorldOptions): Promise<void> {
  const pki = join(directory, 'pki');
  await mkdir(pki, { recursive: true });
  await mkdir(join(directory, 'manifests'));
  const files: readonly (readonly [string, string, number, { uid: number; gid: number } | undefined])[] = [
    ['pki/sa.pub', options.former.publicPem + (options.otherKeys ?? ''), 0o640, formerPublicOwner],
    ['pki/sa.key', options.former.privatePem, 0o600, formerPrivateOwner],
    ['pki/ca.key', 'somebody else’s', 0o600, undefined],
    ['manifests/kube-apiserver.yaml', (options.apiServerManifest ?? kubeadmApiServer)(pki), 0o600, undefined],
    [
      'manifests/kube-controller-manager.yaml',
      (options.controllerManagerManifest ?? kubeadmControllerManager)(pki),
      0o600,
      undefined,
    ],
    ['manifests/.kube-apiserver.yaml.swp', 'an editor was here', 0o600, undefined],
  ];
  for (const [name, content, mode, owner] of files) {
    await writeFile(join(directory, name), content, { mode });
    if (owner !== undefined) await chown(join(directory, name), owner.uid, owner.gid);
  }
}

function kubeadmApiServer(pki: string): string {
  return `apiVersion: v1
kind: Pod
metadata:
  name: kube-apiserver
spec:
  containers:
  - command:
    - kube-apiserver
    - --advertise-address=10.0.0.1
    - --service-account-issuer=https://issuer.example
    - --service-account-key-file=/etc/kubernetes/pki/sa.pub # verification
    - --service-account-signing-key-file=/etc/kubernetes/pki/sa.key
    - --tls-private-key-file=/etc/kubernetes/pki/apiserver.key
    image: registry.k8s.io/kube-apiserver:v1.37.2
    name: kube-apiserver
    volumeMounts:
    - mountPath: /etc/kubernetes/pki
      name: k8s-certs
      readOnly: true
  hostNetwork: true
  volumes:
  - hostPath:
      path: ${pki}
      type: DirectoryOrCreate
    name: k8s-certs
status: {}
`;
}

function kubeadmControllerManager(pki: string): string {
  return `apiVersion: v1
kind: Pod
metadata:
  name: kube-controller-manager
spec:
  containers:
  - command:
    - kube-controller-manager
    - --service-account-private-key-file=/etc/kubernetes/pki/sa.key
    - --use-service-account-credentials=true
    volumeMounts:
    - mountPath: /etc/kubernetes/pki
      name: k8s-certs
  volumes:
  - hostPath: {path: '${pki}', type: DirectoryOrCreate}
    name: k8s-certs
`;
}
