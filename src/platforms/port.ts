// What a rotation asks of a control plane. One adapter per platform; it says by data what it can do.
import type { ManagedCapabilities, StagedCapabilities } from '../rotation/capabilities.ts';
import type { SigningKey } from '../keys/signing-key.ts';
import type { KeyRef, PublicKey } from '../rotation/key.ts';
import type { IssuerMigration } from '../rotation/issuer-migration.ts';
import type { ApiServerObservation, ControlPlaneObservation, NodeLayout, Problem } from '../rotation/observation.ts';
import type { StaleTokenBaseline } from '../rotation/slow-clients.ts';

/** Lets a long step be watched and stopped. */
export interface StepControl {
  /** Aborted when the step must stop; a step that is stopped leaves a state that the next call takes up. */
  readonly signal: AbortSignal;
  /** Told in words what is being waited for. */
  readonly report: (progress: string) => void;
}

/** Proof of one change of one node. */
export interface NodeChange {
  readonly node: string;
  /** False where the node already was as asked. */
  readonly changed: boolean;
  /** ms from the manifest's rename to the proof that the new process serves; 0 where nothing changed. */
  readonly restartMs: number;
  /** What was seen that proves the change, in words. */
  readonly proof: string;
}

/** A file on a node as it is and as it would be. */
export interface FileDiff {
  readonly node: string;
  readonly path: string;
  readonly before: string;
  readonly after: string;
}

/** Either we order trust and signing, or the platform does. */
export type Platform = StagedPlatform | ManagedPlatform;

export function isManaged(platform: Platform): platform is ManagedPlatform {
  return platform.capabilities.ordering === 'managed';
}

/**
 * A control plane whose trust and signing we order node by node. Every method is idempotent: done twice it changes nothing the second
 * time, and a call that died half way is completed by the next. A node whose API server does not come back with a changed manifest gets the
 * former manifest back before MANIFEST_REFUSED is thrown.
 */
export interface StagedPlatform {
  readonly capabilities: StagedCapabilities;

  observe(): Promise<ControlPlaneObservation>;
  /** The part of it that takes no node. */
  observeApiServers(): Promise<readonly ApiServerObservation[]>;

  /** Manifests as they would be after Trusting and Signing; nothing is changed. */
  preview(layouts: readonly NodeLayout[], next: KeyRef): Promise<readonly FileDiff[]>;

  /** Copies manifests and key files of the node to a folder of its own on that node, readable by root only. */
  backUp(layout: NodeLayout, rotationId: string): Promise<void>;
  removeBackUp(layout: NodeLayout, rotationId: string): Promise<void>;

  /** Trusting: brings the public key and has the API server read it; done when this API server publishes it. */
  trust(layout: NodeLayout, next: PublicKey, control: StepControl): Promise<NodeChange>;
  /** Undo of trust: takes the key away again, waits until this API server no longer publishes it. */
  distrust(layout: NodeLayout, next: KeyRef, control: StepControl): Promise<NodeChange>;

  /** Signing: brings the private key (0600, owned as its predecessor) and switches the API server; done when its tokens carry the new kid. */
  sign(layout: NodeLayout, former: KeyRef, next: SigningKey, control: StepControl): Promise<NodeChange>;
  /** Undo of sign: switches the API server back, waits for the former kid, removes the new private key. */
  signWithFormer(layout: NodeLayout, former: KeyRef, next: KeyRef, control: StepControl): Promise<NodeChange>;

  /** Signing: switches the node's controller manager to the new private key. */
  switchControllerManager(layout: NodeLayout, next: KeyRef, control: StepControl): Promise<NodeChange>;
  /**
   * Back to `layout.controllerManagerKeyFile`: the undo of the above, and the last step of Untrusting.
   * @param signer whose private key stands there then: the former on the way back, the new one at the end
   */
  restoreControllerManager(layout: NodeLayout, signer: KeyRef, control: StepControl): Promise<NodeChange>;

  /**
   * Untrusting: the new pair takes the place of the former at the former's own paths (other keys in those files stay), and the manifest
   * becomes what it was before the rotation; done when this API server publishes `next`, not `former`, and signs with `next`.
   */
  untrust(layout: NodeLayout, former: KeyRef, next: SigningKey, control: StepControl): Promise<NodeChange>;

  /** Retiring: removes the files named by kid, and the back-up where `keepManifests` is false (private keys in it always). */
  retire(layout: NodeLayout, next: KeyRef, rotationId: string, backUps: 'remove' | 'keep-manifests'): Promise<void>;
}

/** The rotation that a managed platform is asked about. */
export interface ManagedRotation {
  readonly rotationId: string;
  /** RFC 3339: what the platform began before is not of this rotation. */
  readonly startedAt: string;
  readonly former: PublicKey;
  /** Null as long as the platform that makes it has not shown it. */
  readonly next: KeyRef | null;
}

/** How far the platform is: a proof in words once it is there; until then what it is waited for, best in the platform's own words. */
export type Advance = { readonly proof: string; readonly changed: boolean } | { readonly waitingFor: string };

/**
 * A control plane that orders trust and signing by itself. Each of begin, advance, forget and takeBack does what is due and tells how far it
 * is: it is called again and again, with pauses, until there is a proof, also by another worker after a crash; what is done already changes
 * nothing. None of them waits long.
 * @throws PLATFORM_FAILED where the platform says that its part has failed, PLATFORM_CHANGED where somebody else changed what is ours to
 *   change: both hold the rotation, and the next call goes on from what it finds. Retryable errors are passing trouble.
 */
export interface ManagedPlatform {
  readonly capabilities: ManagedCapabilities;
  /** Default: the issuer of its tokens cannot be changed. */
  readonly issuers?: IssuerChanger;
  /** How long one of the steps may take until a person is asked, and the pause between two looks. ms */
  readonly patience: { readonly timeoutMs: number; readonly pollMs: number };

  /**
   * Without layouts. What keeps the platform from rotating now is among its problems.
   * @param underWay a rotation that is taken up: that the platform is busy with it is no problem
   */
  observe(underWay: ManagedRotation | null): Promise<ControlPlaneObservation>;
  observeApiServers(): Promise<readonly ApiServerObservation[]>;

  /** Hands the new key over, or asks for one; proven once the platform has taken it up. */
  begin(rotation: ManagedRotation, key: SigningKey | null, control: StepControl): Promise<Advance>;
  /** Proven once the platform has come to the end of its part of the switch. That API servers sign with the new key is looked at besides. */
  advance(rotation: ManagedRotation, control: StepControl): Promise<Advance>;
  /** Has the platform forget a key for good: the former one at the end, the new one at the end of a way back. */
  forget(rotation: ManagedRotation, key: KeyRef, control: StepControl): Promise<Advance>;
  /** Has the former key sign again. Asked only where `rollBack` is declared. */
  takeBack(rotation: ManagedRotation, control: StepControl): Promise<Advance>;
  /** Removes what the rotation left; tells what is gone. */
  retire(rotation: ManagedRotation): Promise<string>;
}

/** Tokens are of the new issuer. */
export interface VerifiedIssuer {
  /** Since when that is proven, RFC 3339. */
  readonly at: string;
  /** Where uses of tokens that their clients do not reload are counted from. */
  readonly staleTokens: StaleTokenBaseline;
}

export interface IssuerObservation {
  readonly migration: IssuerMigration;
  /** Null where a migration that is taken up is not proven to have switched. */
  readonly verified: VerifiedIssuer | null;
  readonly takenUp: boolean;
  /** What keeps it from beginning. */
  readonly problems: readonly Problem[];
}

/** Changes the issuer of a cluster's tokens; each change is asked for again and again until there is a proof, as on `ManagedPlatform`. */
export interface IssuerChanger {
  /** What a migration to that issuer would come to, or what one comes to that is under way. Changes nothing. */
  observe(to: string): Promise<IssuerObservation>;
  /** The former issuer issues, the new one is accepted besides; also the way back from `issue`. */
  accept(migration: IssuerMigration): Promise<Advance>;
  issue(migration: IssuerMigration): Promise<Advance>;
  forgetFormer(migration: IssuerMigration): Promise<Advance>;
  forgetNew(migration: IssuerMigration): Promise<Advance>;
  /** What is noted of the switch; null where it is not proven. */
  verified(): Promise<VerifiedIssuer | null>;
  /** Notes it, where the next run finds it; null takes it back. */
  remember(migration: IssuerMigration, verified: VerifiedIssuer | null): Promise<void>;
}
