// What can happen to a rotation: decisions of an operator, faults of its parts, and what others do to the cluster meanwhile.
import type { Decision } from '../../src/rotation/decisions.ts';
import type { DrainPolicy } from '../../src/rotation/drain.ts';
import { FORMER, LATE_FOREIGN, NEXT, type Keys } from './keys.ts';
import { differs, managerSignerOf, type Disk, type SimulatedNode } from './node.ts';
import type { World } from './world.ts';

/** To the step that comes next. `after`: so many of its parts are done. */
export type Fault =
  | {
      readonly fault: 'dies';
      readonly after: number;
      readonly and: 'is tried again' | 'fails' | 'the run is killed' | 'the operator rolls back';
    }
  /** It is tried again while it still sleeps; `turns` later it wakes up and does the rest. */
  | { readonly fault: 'sleeps'; readonly after: number; readonly turns: number }
  | { readonly fault: 'is done twice' }
  | { readonly fault: 'its API server refuses the manifest' }
  | { readonly fault: 'its API server dies meanwhile'; readonly after: number }
  | { readonly fault: 'somebody writes the JWKS meanwhile' }
  | { readonly fault: 'takes long'; readonly ms: number };

export type Meddling =
  /** A stale copy of the document is written, by hand or by another tool. */
  | 'the new key is dropped from the JWKS'
  | 'the former key is dropped from the JWKS'
  | 'the former key is put back into the JWKS'
  | 'a foreign key is added to the JWKS'
  | 'the manifests are written anew by kubeadm upgrade'
  | 'the signing key flag is set back by hand'
  | 'the controller manager is set back by hand'
  | 'the key store loses the new key'
  | 'somebody makes a token Secret and uses it'
  | 'another controller manager leads'
  | 'the node leaves'
  | 'a control-plane node joins with the keys of this one';

export type What =
  | { readonly kind: 'decision'; readonly decision: Exclude<Decision, 'changeDrain'> | 'cancel' }
  | { readonly kind: 'changeDrain'; readonly drain: DrainPolicy }
  | { readonly kind: 'fault'; readonly fault: Fault }
  | { readonly kind: 'crash'; readonly node: number; readonly component: 'API server' | 'controller manager' }
  | { readonly kind: 'meddling'; readonly meddling: Meddling; readonly node: number }
  | { readonly kind: 'killed' }
  | { readonly kind: 'another rotation is started' }
  | { readonly kind: 'worker'; readonly skewMs: number };

export interface Happening {
  /** How many turns of the rotation (steps, waits, questions) come before it. */
  readonly turn: number;
  readonly what: What;
}

const nodeAt = ({ nodes }: World, index: number): SimulatedNode => nodes[index % nodes.length] ?? nodes[0]!;

/** A process dies by itself and reads its files again. @throws Harm */
export function crash(world: World, index: number, component: 'API server' | 'controller manager'): void {
  const node = nodeAt(world, index);
  world.tell(`The ${component} of ${node.name} dies and is started again.`);
  if (component === 'controller manager') world.restartManager(node);
  else if (node.up) world.restart(node, 'ours');
  world.look('ours');
}

/** What comes of it is not ours, but what we then do is. */
export function meddle(world: World, meddling: Meddling, index: number): void {
  const node = nodeAt(world, index);
  const before = { strangers: world.strangers, disk: node.disk };
  if (!apply(world, meddling, node)) return;
  const isAboutNode = node.disk !== before.disk || !node.up || world.strangers !== before.strangers;
  world.tell(`Not by Keyturn: ${meddling}${isAboutNode ? ` (${node.name})` : ''}.`);
  if (node.disk !== before.disk) {
    if (!isOnlyManager(before.disk, node.disk)) {
      if (node.up) world.restart(node, 'theirs');
      else node.startCause = 'theirs';
    }
    if (node.disk.managerNamed !== before.disk.managerNamed) {
      node.managerSigner = managerSignerOf(node.disk);
      node.managerIsTheirs = true;
    }
  }
  world.look('theirs');
}

/** False where there is nothing to do. */
function apply(world: World, meddling: Meddling, node: SimulatedNode): boolean {
  const next = world.record?.next ?? NEXT;
  switch (meddling) {
    case 'the new key is dropped from the JWKS':
      return writeJwks(world, world.jwks & ~next);
    case 'the former key is dropped from the JWKS':
      return writeJwks(world, world.jwks & ~FORMER);
    case 'the former key is put back into the JWKS':
      return writeJwks(world, world.jwks | FORMER);
    case 'a foreign key is added to the JWKS':
      return writeJwks(world, world.jwks | LATE_FOREIGN);
    case 'the manifests are written anew by kubeadm upgrade':
      return writeDisk(world, node, { trustsNamed: false, signsNamed: false, managerNamed: false });
    case 'the signing key flag is set back by hand':
      return writeDisk(world, node, { signsNamed: false });
    case 'the controller manager is set back by hand':
      return writeDisk(world, node, { managerNamed: false });
    case 'the key store loses the new key': {
      if (world.staged === 0) return false;
      world.staged = 0;
      return true;
    }
    case 'somebody makes a token Secret and uses it':
      world.secrets.make(world.leader.managerSigner);
      return true;
    case 'another controller manager leads':
      world.leaderIndex += 1;
      return true;
    case 'the node leaves':
      if (!node.up || world.nodes.length === 1) return false;
      world.restart(node, 'theirs');
      node.upAtMs = Infinity;
      return true;
    case 'a control-plane node joins with the keys of this one':
      if (!world.options.nodesJoin) return false;
      world.join(node);
      return true;
  }
}

function writeJwks(world: World, keys: Keys): boolean {
  if (keys === world.jwks || world.options.served) return false;
  world.publish(keys);
  return true;
}

function writeDisk(world: World, node: SimulatedNode, change: Partial<Disk>): boolean {
  if (!differs(node.disk, change)) return false;
  world.write(node, change);
  return true;
}

function isOnlyManager(before: Disk, after: Disk): boolean {
  return before.trustsNamed === after.trustsNamed && before.signsNamed === after.signsNamed;
}
