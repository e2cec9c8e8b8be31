// What a platform does that orders trust and signing itself, once it is handed a key: it goes on whether anybody follows it or not.
import type { ClusterActionType } from '../../src/rotation/plan.ts';
import { atOnce, type Doing } from './doing.ts';
import { FORMER, type Keys } from './keys.ts';
import type { Disk, SimulatedNode } from './node.ts';
import { StepFailed } from './step-failed.ts';
import type { World } from './world.ts';

type ManagedActionType = Extract<
  ClusterActionType,
  'recordRotation' | 'beginRotation' | 'followRotation' | 'takeBackRotation' | 'forgetNext' | 'forgetFormer'
>;

/** One node after the other, each restarted with what it is to read. */
function rollOut(world: World, change: (node: SimulatedNode) => Partial<Disk>): void {
  for (const node of world.nodes) {
    world.write(node, change(node));
    world.restart(node, 'ours');
    world.look('ours');
    world.advance(world.options.restartMs);
    world.restartManager(node);
  }
}

function switchTo(world: World, key: Keys): void {
  if (world.nodes.every(({ disk }) => disk.key === key)) return;
  rollOut(world, ({ disk }) => ({ pub: disk.pub | key }));
  rollOut(world, () => ({ key }));
}

function forget(world: World, key: Keys): void {
  if (world.nodes.some(({ disk }) => (disk.pub & key) !== 0)) rollOut(world, ({ disk }) => ({ pub: disk.pub & ~key }));
}

export const MANAGED_ACTIONS: Readonly<Record<ManagedActionType, (world: World) => Doing>> = {
  recordRotation: (world) =>
    atOnce(() => {
      world.record ??= { next: 0, milestones: {} };
    }),
  *beginRotation(world) {
    const { staged, record } = world;
    world.saveMilestones({ begunAt: record?.milestones.begunAt ?? world.workerTime() });
    yield;
    if (record === null || staged !== record.next)
      throw new StepFailed('KEY_NOT_FOUND', 'the key store does not have it');
    switchTo(world, staged);
  },
  *followRotation(world) {
    yield;
    const late = world.nodes.find(({ signer }) => signer !== world.record?.next);
    if (late !== undefined) throw new StepFailed('PLATFORM_UNFINISHED', `${late.name} does not sign with the new key`);
  },
  *takeBackRotation(world) {
    world.saveMilestones({ verifiedAt: undefined, otherSignerAt: undefined });
    yield;
    switchTo(world, FORMER);
  },
  *forgetNext(world) {
    forget(world, world.record?.next ?? 0);
    yield;
    world.saveMilestones({ begunAt: undefined });
  },
  *forgetFormer(world) {
    world.saveMilestones({ untrustingAt: world.record?.milestones.untrustingAt ?? world.workerTime() });
    yield;
    forget(world, FORMER);
  },
};
