// The operator puts right what a held rotation names: by hand, at once, and as the message says.
import type { GuardName } from '../../src/rotation/guards.ts';
import { FORMER, NEXT } from './keys.ts';
import { managerSignerOf, type Disk } from './node.ts';
import type { World } from './world.ts';

export interface Failure {
  readonly code: string;
  readonly message: string;
  /** Of GUARD_FAILED. */
  readonly guards: readonly GuardName[];
}

export function mend(world: World, { code, guards }: Failure): void {
  for (const guard of guards) mendGuard(world, guard);
  if (code === 'KEY_NOT_FOUND') world.staged = world.record?.next ?? 0;
  if (code === 'LEGACY_TOKENS_IN_USE') world.secrets.removeOf(FORMER);
  if (code === 'SLOW_CLIENTS') world.slowClientKey = world.anySigner();
  if (code === 'TOKEN_REJECTED')
    for (const { name } of world.nodes) change(world, name, { managerNamed: !isBack(world) });
  bringNodesBack(world);
  world.look('theirs');
}

/** The leading controller manager is asked for the new key's tokens, or on the way back for the former's. */
function isBack({ record }: World): boolean {
  return record?.milestones.verifiedAt === undefined;
}

function mendGuard(world: World, guard: GuardName): void {
  const next = world.record?.next ?? NEXT;
  switch (guard) {
    case 'nextIsPublic':
      return world.options.served ? changeAll(world, { trustsNamed: true }) : world.publish(world.jwks | next);
    case 'formerIsPublic':
      return world.publish(world.jwks | FORMER);
    case 'formerIsNotPublic':
      return world.publish(world.jwks & ~FORMER);
    case 'nextStaged':
      world.staged = next;
      return undefined;
    case 'everyoneTrustsNext':
      return changeAll(world, { trustsNamed: true });
    case 'everyoneSignsWithNext':
      return changeAll(world, { trustsNamed: true, signsNamed: true });
    case 'nobodySignsWithNext':
      return changeAll(world, { signsNamed: false });
    case 'nobodyTrustsNext':
      return changeAll(world, { trustsNamed: false });
    case 'noUnknownApiServer':
      world.strangers = [];
      return undefined;
    case 'noLegacyTokensOfFormer':
      return world.secrets.removeOf(FORMER);
    case 'noLegacyTokensOfNext':
      return world.secrets.removeOf(next);
    default:
      return undefined;
  }
}

export function bringNodesBack(world: World): void {
  for (const node of world.nodes) if (node.upAtMs === Infinity) node.upAtMs = world.nowMs;
}

function changeAll(world: World, flags: Partial<Disk>): void {
  for (const { name } of world.nodes) change(world, name, flags);
}

/** Only where the files are there. One node after the other, as a careful person does it. */
function change(world: World, name: string, flags: Partial<Disk>): void {
  const node = world.node(name);
  const { namedPub, namedKey } = node.disk;
  const possible: Partial<Disk> = {
    ...flags,
    ...(namedPub === 0 ? { trustsNamed: node.disk.trustsNamed } : {}),
    ...(namedKey === 0 ? { signsNamed: node.disk.signsNamed, managerNamed: node.disk.managerNamed } : {}),
  };
  const before = node.disk;
  world.write(node, possible);
  if (before.trustsNamed !== node.disk.trustsNamed || before.signsNamed !== node.disk.signsNamed) {
    if (node.up) world.restart(node, 'theirs');
    world.look('theirs');
    world.advance(world.options.restartMs);
  }
  if (before.managerNamed !== node.disk.managerNamed) node.managerIsTheirs = false;
  node.managerSigner = managerSignerOf(node.disk);
}
