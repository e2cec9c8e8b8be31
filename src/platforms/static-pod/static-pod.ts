// Control planes whose API servers and controller managers are static pods: kubeadm, kind, and whatever else leaves manifests to kubelet.
import { KeyturnError } from '../../errors.ts';
import type { ApiServer } from '../../api-servers/port.ts';
import type { SigningKey } from '../../keys/signing-key.ts';
import type { NodeFiles } from '../../nodes/port.ts';
import type { KeyRef, PublicKey } from '../../rotation/key.ts';
import type { ApiServerObservation, ControlPlaneObservation, NodeLayout } from '../../rotation/observation.ts';
import type { StagedCapabilities } from '../../rotation/capabilities.ts';
import type { FileDiff, NodeChange, StagedPlatform, StepControl } from '../port.ts';
import { backUp, removeBackUp } from './back-up.ts';
import { changeManifest } from './change-manifest.ts';
import type { Timing } from './change-manifest.ts';
import type { ComponentProbe } from './component-probe.ts';
import { restoreControllerManager, switchControllerManager } from './controller-manager.ts';
import { doesNotPublish, doesNotSignWith, publishes, signsWith } from './effects.ts';
import { bringPrivateKey, bringPublicKey, findKeyFiles } from './key-files.ts';
import { manifestSteps } from './manifest-steps.ts';
import type { ControlPlaneNode } from './node-manifests.ts';
import { observeApiServers } from '../observe-api-servers.ts';
import { observeControlPlane } from './observe.ts';
import { previewNode } from './preview.ts';
import { refuseToDistrustSigner, refuseToSignUntrusted } from './refusals.ts';
import { removeUnnamed, retireFiles } from './retire.ts';
import { untrust } from './untrust.ts';
import { systemClock } from '../wait-for.ts';
import type { Clock } from '../wait-for.ts';

export interface StaticPodNode {
  readonly name: string;
  readonly files: NodeFiles;
  readonly apiServer: ApiServer;
  /** kubelet's `staticPodPath` on the node. Default `/etc/kubernetes/manifests`. */
  readonly manifestsDirectory?: string;
  /** Where the worker can reach the node's controller manager. Without it the proof of a switch is Verifying's. */
  readonly controllerManager?: ComponentProbe;
}

export interface StaticPodOptions {
  readonly nodes: readonly StaticPodNode[];
  /** Nodes are reached by something that is made for it in the cluster and must not stay. Default false. */
  readonly nodeAgents?: boolean;
  /** How long a component may take to show the effect of its manifest before the former one is put back. Default 5 minutes, in ms. */
  readonly readyTimeoutMs?: number;
  /** How long kubelet may take to notice a manifest. Default 60 s, in ms: three of its relists. */
  readonly noticeMs?: number;
  /** Pause between two looks. Default 500 ms. */
  readonly pollMs?: number;
  readonly clock?: Clock;
}

export class StaticPodPlatform implements StagedPlatform {
  readonly capabilities: StagedCapabilities;
  readonly #nodes: ReadonlyMap<string, ControlPlaneNode>;
  readonly #timing: Timing;

  constructor({
    nodes,
    nodeAgents = false,
    readyTimeoutMs = 300_000,
    noticeMs = 60_000,
    pollMs = 500,
    clock = systemClock,
  }: StaticPodOptions) {
    const withDefaults = nodes.map((node) => ({ manifestsDirectory: '/etc/kubernetes/manifests', ...node }));
    this.#nodes = new Map(withDefaults.map((node) => [node.name, node]));
    this.capabilities = { ordering: 'staged', rollBack: true, nodeAgents };
    this.#timing = { clock, readyTimeoutMs, noticeMs, pollMs };
  }

  observe(): Promise<ControlPlaneObservation> {
    return observeControlPlane([...this.#nodes.values()]);
  }

  observeApiServers(): Promise<readonly ApiServerObservation[]> {
    return observeApiServers([...this.#nodes.values()].map(({ apiServer }) => apiServer));
  }

  async preview(layouts: readonly NodeLayout[], next: KeyRef): Promise<readonly FileDiff[]> {
    return (await Promise.all(layouts.map((layout) => previewNode(this.#node(layout), layout, next)))).flat();
  }

  async backUp(layout: NodeLayout, rotationId: string): Promise<void> {
    await backUp(this.#node(layout), layout, rotationId);
  }

  async removeBackUp(layout: NodeLayout, rotationId: string): Promise<void> {
    await removeBackUp(this.#node(layout), layout, rotationId, 'nothing');
  }

  async trust(layout: NodeLayout, next: PublicKey, control: StepControl): Promise<NodeChange> {
    const node = this.#node(layout);
    const steps = manifestSteps(layout, next.kid);
    const brought = await bringPublicKey(node, await findKeyFiles(node, layout), next);
    const change = await changeManifest(
      node,
      {
        component: 'kube-apiserver',
        edit: steps.trust,
        inverse: steps.distrust,
        effect: publishes(node, next.kid),
        formerEffect: doesNotPublish(node, next.kid),
      },
      this.#timing,
      control,
    );
    return { ...change, changed: change.changed || brought };
  }

  async distrust(layout: NodeLayout, next: KeyRef, control: StepControl): Promise<NodeChange> {
    const node = this.#node(layout);
    const steps = manifestSteps(layout, next.kid);
    await refuseToDistrustSigner(node, layout, next);
    const change = await changeManifest(
      node,
      {
        component: 'kube-apiserver',
        edit: steps.distrust,
        inverse: steps.trust,
        effect: doesNotPublish(node, next.kid),
        formerEffect: publishes(node, next.kid),
      },
      this.#timing,
      control,
    );
    await removeUnnamed(node, layout, next.kid, ['pub', 'key']);
    return change;
  }

  async sign(layout: NodeLayout, next: SigningKey, control: StepControl): Promise<NodeChange> {
    const node = this.#node(layout);
    const steps = manifestSteps(layout, next.kid);
    await refuseToSignUntrusted(node, steps.sign, next);
    const brought = await bringPrivateKey(node, (await findKeyFiles(node, layout)).signing, next);
    const change = await changeManifest(
      node,
      {
        component: 'kube-apiserver',
        edit: steps.sign,
        inverse: steps.signWithFormer,
        effect: signsWith(node, next.kid),
        formerEffect: doesNotSignWith(node, next.kid),
      },
      this.#timing,
      control,
    );
    return { ...change, changed: change.changed || brought };
  }

  async signWithFormer(layout: NodeLayout, former: KeyRef, next: KeyRef, control: StepControl): Promise<NodeChange> {
    const node = this.#node(layout);
    const steps = manifestSteps(layout, next.kid);
    const change = await changeManifest(
      node,
      {
        component: 'kube-apiserver',
        edit: steps.signWithFormer,
        inverse: steps.sign,
        effect: signsWith(node, former.kid),
        formerEffect: signsWith(node, next.kid),
      },
      this.#timing,
      control,
    );
    await removeUnnamed(node, layout, next.kid, ['key']);
    return change;
  }

  switchControllerManager(layout: NodeLayout, next: KeyRef, control: StepControl): Promise<NodeChange> {
    return switchControllerManager(this.#node(layout), layout, next, this.#timing, control);
  }

  restoreControllerManager(layout: NodeLayout, control: StepControl): Promise<NodeChange> {
    return restoreControllerManager(this.#node(layout), layout, this.#timing, control);
  }

  untrust(layout: NodeLayout, former: KeyRef, next: SigningKey, control: StepControl): Promise<NodeChange> {
    return untrust(this.#node(layout), layout, former, next, this.#timing, control);
  }

  async retire(
    layout: NodeLayout,
    next: KeyRef,
    rotationId: string,
    backUps: 'remove' | 'keep-manifests',
  ): Promise<void> {
    const node = this.#node(layout);
    await retireFiles(node, layout, next);
    await removeBackUp(node, layout, rotationId, backUps === 'remove' ? 'nothing' : 'manifests');
  }

  #node(layout: NodeLayout): ControlPlaneNode {
    const node = this.#nodes.get(layout.node);
    if (node !== undefined) return node;
    throw new KeyturnError('CONFIG_INVALID', `${layout.node} is not among the configured control-plane nodes`, {
      subject: layout.node,
      remedy: `Add it to the cluster's nodes in keyturn.yaml, beside ${[...this.#nodes.keys()].join(', ')}`,
    });
  }
}
