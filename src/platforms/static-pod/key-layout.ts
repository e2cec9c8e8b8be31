// What each step of a rotation does on one node. One implementation per key layout; see `rotation/key-layout.ts` for what they are.
import type { SigningKey } from '../../keys/signing-key.ts';
import type { KeyRef, PublicKey } from '../../rotation/key.ts';
import type { NodeLayout } from '../../rotation/observation.ts';
import type { FileDiff, NodeChange, StepControl } from '../port.ts';
import type { Timing } from './change-manifest.ts';
import type { ControlPlaneNode } from './node-manifests.ts';

/** One step on one node. */
export interface NodeTask {
  readonly node: ControlPlaneNode;
  readonly layout: NodeLayout;
  /** All nodes: what one of them has lost, another may still have backed up. */
  readonly nodes: readonly ControlPlaneNode[];
  readonly timing: Timing;
  readonly control: StepControl;
}

/** Promises of each step: those of the Platform's methods of the same names. */
export interface KeyLayoutSteps {
  preview(node: ControlPlaneNode, layout: NodeLayout, next: KeyRef): Promise<readonly FileDiff[]>;
  trust(task: NodeTask, next: PublicKey): Promise<NodeChange>;
  distrust(task: NodeTask, next: KeyRef): Promise<NodeChange>;
  sign(task: NodeTask, former: KeyRef, next: SigningKey): Promise<NodeChange>;
  signWithFormer(task: NodeTask, former: KeyRef, next: KeyRef): Promise<NodeChange>;
  switchControllerManager(task: NodeTask, next: KeyRef): Promise<NodeChange>;
  restoreControllerManager(task: NodeTask, signer: KeyRef): Promise<NodeChange>;
  untrust(task: NodeTask, former: KeyRef, next: SigningKey): Promise<NodeChange>;
  /** Files of the rotation, without the back-up. */
  retire(node: ControlPlaneNode, layout: NodeLayout, next: KeyRef): Promise<void>;
}
