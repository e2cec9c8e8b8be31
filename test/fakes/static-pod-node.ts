// One node with a simulated kubelet: its API server and controller manager run what the manifests and key files on its disk say.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ApiServer } from '../../src/api-servers/port.ts';
import { KeyturnError } from '../../src/errors.ts';
import type { ComponentProbe } from '../../src/platforms/static-pod/component-probe.ts';
import type { KeyRef } from '../../src/rotation/key.ts';
import { FakeNodeFiles } from './node-files.ts';
import { readProcess } from './static-pod-process.ts';
import type { FakeProcess } from './static-pod-process.ts';

type Component = 'kube-apiserver' | 'kube-controller-manager';

interface Slot {
  /** Manifest that kubelet has seen last. */
  manifest: string;
  process: FakeProcess | undefined;
  readonly restarts: { at: number; manifest: string }[];
}

export class FakeNode {
  readonly name: string;
  readonly directory: string;
  readonly files: FakeNodeFiles;
  /** From a changed manifest to the end of the old process. */
  noticeMs = 1000;
  /** From the end of the old process to the new one. */
  restartMs = 3000;
  /** Manifests with which the process ends as soon as it begins. */
  refuses: (manifest: string) => boolean = () => false;
  /** Manifests that kubelet cannot read: it goes on with the former pod and says nothing. */
  ignores: (manifest: string) => boolean = () => false;
  readonly apiServer: ApiServer;
  readonly controllerManager: ComponentProbe;
  readonly #now: () => number;
  readonly #slots: Record<Component, Slot>;

  constructor(name: string, directory: string, now: () => number) {
    this.name = name;
    this.directory = directory;
    this.#now = now;
    this.files = new FakeNodeFiles(name, now);
    this.#slots = {
      'kube-apiserver': this.#start('kube-apiserver'),
      'kube-controller-manager': this.#start('kube-controller-manager'),
    };
    this.apiServer = this.#fakeApiServer();
    this.controllerManager = {
      startTime: async () => this.#process('kube-controller-manager')?.startedAt,
      healthy: async () => this.#process('kube-controller-manager') !== undefined,
    };
  }

  get isReady(): boolean {
    return this.#process('kube-apiserver') !== undefined;
  }

  get publishedKids(): readonly string[] {
    return this.#process('kube-apiserver')?.publishedKids ?? [];
  }

  get signingKid(): string | null {
    return this.#process('kube-apiserver')?.signingKid ?? null;
  }

  get controllerManagerKid(): string | null {
    return this.#process('kube-controller-manager')?.signingKid ?? null;
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  manifest(component: Component = 'kube-apiserver'): string {
    return readFileSync(this.path(`manifests/${component}.yaml`), 'utf8');
  }

  /** The process ends and begins again by itself, with what its manifest and files say now. */
  restart(component: Component = 'kube-apiserver'): void {
    const slot = this.#slots[component];
    slot.process = this.#run(slot.manifest, component);
  }

  /** What kubelet does as time passes. */
  sync(): void {
    this.files.watchdog?.tick();
    for (const component of ['kube-apiserver', 'kube-controller-manager'] as const) {
      const slot = this.#slots[component];
      const seen = this.manifest(component);
      if (seen !== (slot.restarts.at(-1)?.manifest ?? slot.manifest) && !this.ignores(seen)) {
        slot.restarts.push({ at: this.#now() + this.noticeMs, manifest: seen });
      }
      const [next] = slot.restarts;
      if (next === undefined || this.#now() < next.at) continue;
      slot.process = undefined;
      if (this.#now() < next.at + this.restartMs) continue;
      slot.restarts.shift();
      if (slot.manifest !== next.manifest || slot.process === undefined) {
        slot.manifest = next.manifest;
        slot.process = this.#run(next.manifest, component);
      }
    }
  }

  #start(component: Component): Slot {
    const manifest = this.manifest(component);
    return { manifest, process: this.#run(manifest, component), restarts: [] };
  }

  #run(manifest: string, component: Component): FakeProcess | undefined {
    return this.refuses(manifest) ? undefined : readProcess(manifest, component, this.#now());
  }

  #process(component: Component): FakeProcess | undefined {
    return this.#slots[component].process;
  }

  #fakeApiServer(): ApiServer {
    const url = `https://${this.name}:6443`;
    const process = (): FakeProcess => {
      const running = this.#process('kube-apiserver');
      if (running !== undefined) return running;
      throw new KeyturnError('API_SERVER_UNREACHABLE', `${url} does not answer`, {
        subject: url,
        remedy: 'Wait',
        retryable: true,
      });
    };
    return {
      node: this.name,
      url,
      readiness: async () =>
        this.isReady
          ? { ready: true, etcdHealthy: true }
          : { ready: false, etcdHealthy: false, reason: 'connection refused' },
      publishedKeys: async () => process().publishedKids.map((kid): KeyRef => ({ kid, alg: 'ES256' })),
      publicKeys: async () =>
        process().publishedKids.map((kid) => ({ kid, alg: 'ES256' as const, publicPem: `public half of ${kid}\n` })),
      issuer: async () => process().issuer,
      mintToken: async () => {
        const { signingKid } = process();
        return { token: 'secret', kid: signingKid ?? '', mintedAt: this.#now(), expiresAt: this.#now() + 600_000 };
      },
      reviewToken: async () => ({ outcome: 'accepted' }),
      useToken: async () => ({ outcome: 'accepted' }),
      startTime: async () => this.#process('kube-apiserver')?.startedAt,
      clockSkewMs: async () => 0,
    };
  }
}
