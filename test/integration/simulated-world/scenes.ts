// What is done to a control plane, as data: the simulation and real kube-apiservers go through the same scenes, and must show the same.
import { FOREIGN, FORMER, NEXT, OTHER, type Keys } from '../../simulation/keys.ts';
import type { Disk } from '../../simulation/node.ts';
import type { StepName } from '../../platforms/static-pod/steps.ts';

export const NODES = ['node-1', 'node-2'] as const;
export type NodeName = (typeof NODES)[number];
export type Component = 'API server' | 'controller manager';

export type Event =
  /** By hand. A changed manifest restarts its component, a changed file does not. */
  | { readonly edit: Partial<Omit<Disk, 'backUp'>>; readonly on: readonly NodeName[] }
  | { readonly dies: Component; readonly on: readonly NodeName[] }
  /** A step of the plan, by Keyturn's own code. */
  | { readonly step: Exclude<StepName, 'backUp' | 'removeBackUp'>; readonly on: NodeName }
  | { readonly publish: Keys }
  /** Every relying party has read the JWKS again. */
  | { readonly cachesAge: true }
  /** Somebody makes a Secret, a controller manager fills it, and the token is used from then on. */
  | { readonly tokenSecret: true };

export interface SimulatedScene {
  readonly name: string;
  readonly events: readonly Event[];
}

/** What is seen after an event. */
export interface Picture {
  /** By node, with which key it signs; null where it does not come up. */
  readonly signs: Readonly<Record<string, string | null>>;
  /** By node, the keys of its JWKS. */
  readonly publishes: Readonly<Record<string, string>>;
  /** By node, the keys of its files in the order sa.pub, sa.key, the new key's two. */
  readonly files: Readonly<Record<string, readonly string[]>>;
  /** Keys of the tokens in Secrets. */
  readonly inSecrets: readonly string[];
  /** In the simulation's words: valid tokens that are rejected, and nodes that do not come up. */
  readonly wrong: readonly string[];
}

const BOTH = NODES;
const step = (name: Extract<Event, { step: unknown }>['step'], on: NodeName): Event => ({ step: name, on });
const onBoth = (name: Extract<Event, { step: unknown }>['step']): readonly Event[] => BOTH.map((on) => step(name, on));

export const SCENES: readonly SimulatedScene[] = [
  {
    name: 'key files are read at the next start, and no sooner',
    events: [
      { edit: { pub: FORMER | NEXT | OTHER, key: NEXT }, on: ['node-1'] },
      { tokenSecret: true },
      { dies: 'API server', on: ['node-1'] },
    ],
  },
  {
    name: 'the order of the plan, without its waits',
    events: [
      { publish: FORMER | NEXT | FOREIGN },
      ...onBoth('trust'),
      step('sign', 'node-1'),
      { cachesAge: true },
      step('sign', 'node-2'),
      ...onBoth('switchControllerManager'),
      { tokenSecret: true },
      { publish: NEXT | FOREIGN },
      ...onBoth('untrust'),
      ...onBoth('settleControllerManager'),
      ...onBoth('retire'),
      { tokenSecret: true },
    ],
  },
  {
    name: 'the way back, without its drain',
    events: [
      { publish: FORMER | NEXT | FOREIGN },
      { cachesAge: true },
      ...onBoth('trust'),
      step('sign', 'node-2'),
      step('signWithFormer', 'node-2'),
      step('distrust', 'node-2'),
      { publish: FORMER | FOREIGN },
    ],
  },
  {
    name: 'the hand-written order: trust and signer in one edit, node by node, right after the upload',
    events: [
      { publish: FORMER | NEXT | FOREIGN },
      ...BOTH.map((on): Event => {
        const named = { namedPub: NEXT, namedKey: NEXT, trustsNamed: true, signsNamed: true, managerNamed: true };
        return { edit: named, on: [on] };
      }),
      { cachesAge: true },
    ],
  },
  {
    name: 'the public half of the signing key is not trusted by itself; a controller manager goes on with a key that all have forgotten',
    events: [
      { edit: { key: NEXT }, on: BOTH },
      // One after the other: a controller manager that finds no API server at all may end.
      ...BOTH.map((on): Event => ({ dies: 'API server', on: [on] })),
      { edit: { pub: NEXT | OTHER }, on: BOTH },
      ...BOTH.map((on): Event => ({ dies: 'API server', on: [on] })),
      { tokenSecret: true },
      { dies: 'controller manager', on: BOTH },
      { tokenSecret: true },
    ],
  },
  {
    name: 'a manifest that names a file that is not there',
    events: [
      { edit: { signsNamed: true }, on: ['node-1'] },
      { edit: { namedPub: NEXT, namedKey: NEXT, trustsNamed: true }, on: ['node-1'] },
    ],
  },
];
