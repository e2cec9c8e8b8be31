// The steps of a rotation on one node, by name and in order, for tests that go through all of them.
import type { SigningKey } from '../../../src/keys/signing-key.ts';
import type { NodeChange, StepControl } from '../../../src/platforms/port.ts';
import type { StaticPodWorld } from '../../fakes/static-pod-world.ts';

export const ROTATION_ID = 'rotate/prod 1';

/** What a step needs, also of a real control plane. */
export interface Stage {
  readonly world: Pick<StaticPodWorld, 'platform' | 'layouts'>;
  readonly former: SigningKey;
  readonly next: SigningKey;
}

export interface Scene extends Stage {
  readonly world: StaticPodWorld;
}

export type Step = (stage: Stage, index?: number, control?: StepControl) => Promise<NodeChange | void>;

export const freely = (): StepControl => ({ signal: new AbortController().signal, report: () => undefined });

const layoutOf = ({ world }: Stage, index: number) => world.layouts[index]!;

export const steps = {
  backUp: (scene, i = 0) => scene.world.platform.backUp(layoutOf(scene, i), ROTATION_ID),
  trust: (scene, i = 0, control = freely()) => scene.world.platform.trust(layoutOf(scene, i), scene.next, control),
  sign: (scene, i = 0, control = freely()) =>
    scene.world.platform.sign(layoutOf(scene, i), scene.former, scene.next, control),
  switchControllerManager: (scene, i = 0, control = freely()) =>
    scene.world.platform.switchControllerManager(layoutOf(scene, i), scene.next, control),
  untrust: (scene, i = 0, control = freely()) =>
    scene.world.platform.untrust(layoutOf(scene, i), scene.former, scene.next, control),
  restoreControllerManager: (scene, i = 0, control = freely()) =>
    scene.world.platform.restoreControllerManager(layoutOf(scene, i), scene.former, control),
  settleControllerManager: (scene, i = 0, control = freely()) =>
    scene.world.platform.restoreControllerManager(layoutOf(scene, i), scene.next, control),
  retire: (scene, i = 0) => scene.world.platform.retire(layoutOf(scene, i), scene.next, ROTATION_ID, 'remove'),
  signWithFormer: (scene, i = 0, control = freely()) =>
    scene.world.platform.signWithFormer(layoutOf(scene, i), scene.former, scene.next, control),
  distrust: (scene, i = 0, control = freely()) =>
    scene.world.platform.distrust(layoutOf(scene, i), scene.next, control),
  removeBackUp: (scene, i = 0) => scene.world.platform.removeBackUp(layoutOf(scene, i), ROTATION_ID),
} satisfies Record<string, Step>;

export const LAYOUTS = ['flags', 'in-place'] as const;

export type StepName = keyof typeof steps;

export const FORWARD: readonly StepName[] = [
  'backUp',
  'trust',
  'sign',
  'switchControllerManager',
  'untrust',
  'settleControllerManager',
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

/** The same with the two undos of Signing in the other order. */
const THERE_AND_BACK_OTHERWISE: readonly StepName[] = [
  'backUp',
  'trust',
  'sign',
  'switchControllerManager',
  'signWithFormer',
  'restoreControllerManager',
  'distrust',
  'removeBackUp',
];

/** Steps that restart an API server, with a path on which it is them that write the key files. */
export const API_SERVER_STEPS = LAYOUTS.flatMap((keyLayout) =>
  (
    [
      ['trust', FORWARD],
      ['sign', FORWARD],
      ['untrust', FORWARD],
      ['signWithFormer', THERE_AND_BACK_OTHERWISE],
      ['distrust', THERE_AND_BACK],
    ] as const
  ).map(([name, path]) => ({ keyLayout, name, path })),
);

export async function run(scene: Scene, names: readonly StepName[]): Promise<void> {
  for (const name of names) await (steps[name] as Step)(scene);
}
