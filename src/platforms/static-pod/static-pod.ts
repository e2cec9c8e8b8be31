// Control planes whose API servers and controller managers are static pods: kubeadm, kind, and whatever else leaves manifests to kubelet.
import { KeyturnError } from '../../errors.ts';
import type { ApiServer } from '../../api-servers/port.ts';
import type { SigningKey } from '../../keys/signing-key.ts';
import type { NodeFiles } from '../../nodes/port.ts';
import type { KeyRef, PublicKey } from '../../rotation/key.ts';
import type { ApiServerObservation, ControlPlaneObservation, NodeLayout } from '../../rotation/observation.ts';
import type { StagedCapabilities } from '../../rotation/capabilities.ts';
import { FORMER_KEY_LAYOUT } from '../../rotation/key-layout.ts';
import type { KeyLayout } from '../../rotation/key-layout.ts';
import type { FileDiff, NodeChange, StagedPlatform, StepControl } from '../port.ts';
import { backUp, removeBackUp } from './back-up.ts';
import type { Timing } from './change-manifest.ts';
import { chooseKeyLayout } from './choose-key-layout.ts';
import type { ComponentProbe } from './component-probe.ts';
import type { ControlPlaneNode } from './node-manifests.ts';
import { observeApiServers } from '../observe-api-servers.ts';
import { flagsLayout } from './flags/steps.ts';
import { inPlaceLayout } from './in-place/steps.ts';
import type { KeyLayoutSteps, NodeTask } from './key-layout.ts';
import { observeControlPlane } from './observe.ts';
import { systemClock } from '../../wait-for.ts';
import type { Clock } from '../../wait-for.ts';

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
  /** Default: `in-place` where kubeadm looks after the cluster, else `flags`. */
  readonly keyLayout?: KeyLayout | undefined;
  /** Whether there is a ConfigMap kube-system/kubeadm-config. Default: there is none. @throws API_SERVER_UNREACHABLE, API_SERVER_FORBIDDEN */
  readonly kubeadmConfigExists?: () => Promise<boolean>;
}

export class StaticPodPlatform implements StagedPlatform {
  readonly capabilities: StagedCapabilities;
  readonly #nodes: ReadonlyMap<string, ControlPlaneNode>;
  readonly #timing: Timing;
  readonly #chooseKeyLayout: () => ReturnType<typeof chooseKeyLayout>;

  constructor({
    nodes,
    nodeAgents = false,
    readyTimeoutMs = 300_000,
    noticeMs = 60_000,
    pollMs = 500,
    clock = systemClock,
    keyLayout,
    kubeadmConfigExists = async () => false,
  }: StaticPodOptions) {
    const withDefaults = nodes.map((node) => ({ manifestsDirectory: '/etc/kubernetes/manifests', ...node }));
    this.#nodes = new Map(withDefaults.map((node) => [node.name, node]));
    this.capabilities = { ordering: 'staged', rollBack: true, nodeAgents };
    this.#chooseKeyLayout = () => chooseKeyLayout(keyLayout, kubeadmConfigExists);
    this.#timing = { clock, readyTimeoutMs, noticeMs, pollMs };
  }

  async observe(): Promise<ControlPlaneObservation> {
    const { keyLayout, problems } = await this.#chooseKeyLayout();
    const observed = await observeControlPlane([...this.#nodes.values()], keyLayout.layout);
    return { ...observed, keyLayout, problems: [...observed.problems, ...problems] };
  }

  observeApiServers(): Promise<readonly ApiServerObservation[]> {
    return observeApiServers([...this.#nodes.values()].map(({ apiServer }) => apiServer));
  }

  async preview(layouts: readonly NodeLayout[], next: KeyRef): Promise<readonly FileDiff[]> {
    return (
      await Promise.all(layouts.map((layout) => stepsOf(layout).preview(this.#node(layout), layout, next)))
    ).flat();
  }

  async backUp(layout: NodeLayout, rotationId: string): Promise<void> {
    await backUp(this.#node(layout), layout, rotationId);
  }

  async removeBackUp(layout: NodeLayout, rotationId: string): Promise<void> {
    await removeBackUp(this.#node(layout), layout, rotationId, 'nothing');
  }

  async trust(layout: NodeLayout, next: PublicKey, control: StepControl): Promise<NodeChange> {
    return stepsOf(layout).trust(this.#task(layout, control), next);
  }

  async distrust(layout: NodeLayout, next: KeyRef, control: StepControl): Promise<NodeChange> {
    return stepsOf(layout).distrust(this.#task(layout, control), next);
  }

  async sign(layout: NodeLayout, former: KeyRef, next: SigningKey, control: StepControl): Promise<NodeChange> {
    return stepsOf(layout).sign(this.#task(layout, control), former, next);
  }

  async signWithFormer(layout: NodeLayout, former: KeyRef, next: KeyRef, control: StepControl): Promise<NodeChange> {
    return stepsOf(layout).signWithFormer(this.#task(layout, control), former, next);
  }

  async switchControllerManager(layout: NodeLayout, next: KeyRef, control: StepControl): Promise<NodeChange> {
    return stepsOf(layout).switchControllerManager(this.#task(layout, control), next);
  }

  async restoreControllerManager(layout: NodeLayout, signer: KeyRef, control: StepControl): Promise<NodeChange> {
    return stepsOf(layout).restoreControllerManager(this.#task(layout, control), signer);
  }

  async untrust(layout: NodeLayout, former: KeyRef, next: SigningKey, control: StepControl): Promise<NodeChange> {
    return stepsOf(layout).untrust(this.#task(layout, control), former, next);
  }

  async retire(
    layout: NodeLayout,
    next: KeyRef,
    rotationId: string,
    backUps: 'remove' | 'keep-manifests',
  ): Promise<void> {
    const node = this.#node(layout);
    await stepsOf(layout).retire(node, layout, next);
    await removeBackUp(node, layout, rotationId, backUps === 'remove' ? 'nothing' : 'manifests');
  }

  #task(layout: NodeLayout, control: StepControl): NodeTask {
    return { node: this.#node(layout), layout, nodes: [...this.#nodes.values()], timing: this.#timing, control };
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

const KEY_LAYOUTS: Readonly<Record<KeyLayout, KeyLayoutSteps>> = { flags: flagsLayout, 'in-place': inPlaceLayout };

function stepsOf({ keyLayout = FORMER_KEY_LAYOUT }: NodeLayout): KeyLayoutSteps {
  return KEY_LAYOUTS[keyLayout];
}
