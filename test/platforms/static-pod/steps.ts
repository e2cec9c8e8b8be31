// The steps of a rotation on one node, by name and in order, for tests that go through all of them.
import type { SigningKey } from '../../../src/keys/signing-key.ts';
import type { NodeChange, StepControl } from '../../../src/platforms/port.ts';
import type { StaticPodWorld } from '../../fakes/static-pod-world.ts';

export const ROTATION_ID = 'rotate/prod 1';

export interface Scene {
  readonly world: StaticPodWorld;
  readonly former: SigningKey;
  readonly next: SigningKey;
}

export type Step = (scene: Scene, index?: number, control?: StepControl) => Promise<NodeChange | void>;

export const freely = (): StepControl => ({ signal: new AbortController().signal, report: () => undefined });

const layoutOf = ({ world }: Scene, index: number) => world.layouts[index]!;

export const steps = {
  backUp: (scene, i = 0) => scene.world.platform.backUp(layoutOf(scene, i), ROTATION_ID),
  trust: (scene, i = 0, control = freely()) => scene.world.platform.trust(layoutOf(scene, i), scene.next, control),
  sign: (scene, i = 0, control = freely()) => scene.world.platform.sign(layoutOf(scene, i), scene.next, control),
  switchControllerManager: (scene, i = 0, control = freely()) =>
    scene.world.platform.switchControllerManager(layoutOf(scene, i), scene.next, control),
  untrust: (scene, i = 0, control = freely()) =>
    scene.world.platform.untrust(layoutOf(scene, i), scene.former, scene.next, control),
  restoreControllerManager: (scene, i = 0, control = freely()) =>
    scene.world.platform.restoreControllerManager(layoutOf(scene, i), control),
  retire: (scene, i = 0) => scene.world.platform.retire(layoutOf(scene, i), scene.next, ROTATION_ID, 'remove'),
  signWithFormer: (scene, i = 0, control = freely()) =>
    scene.world.platform.signWithFormer(layoutOf(scene, i), scene.former, scene.next, control),
  distrust: (scene, i = 0, control = freely()) =>
    scene.world.platform.distrust(layoutOf(scene, i), scene.next, control),
  removeBackUp: (scene, i = 0) => scene.world.platform.removeBackUp(layoutOf(scene, i), ROTATION_ID),
} satisfies Record<string, Step>;

export type StepName = keyof typeof steps;

export const FORWARD: readonly StepName[] = [
  'backUp',
  'trust',
  'sign',
  'switchControllerManager',
  'untrust',
  'restoreControllerManager',
  'retire',
];

/** Up to and with Signing, and all the way back. */
export const THERE_AND_BACK: readonly StepName[] = [
  'backUp',
  'trust',
  'sign',
  'switchControllerManager',
  'restoreControllerManager',
  'signWithFormer',
  'distrust',
  'removeBackUp',
];

export async function run(scene: Scene, names: readonly StepName[]): Promise<void> {
  for (const name of names) await (steps[name] as Step)(scene);
}
