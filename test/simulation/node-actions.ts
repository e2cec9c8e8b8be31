// What each action does to one node, file by file.
import type { NodeActionType } from '../../src/rotation/plan.ts';
import { atOnce, type Doing } from './doing.ts';
import { FORMER, type Keys } from './keys.ts';
import { differs, type Disk, type SimulatedNode } from './node.ts';
import { StepFailed } from './step-failed.ts';
import type { World } from './world.ts';

const READY_TIMEOUT_MS = 300_000;

/** The key store hands over what it has; a step of a key that it has lost can do nothing. */
function loadKey({ staged, record }: World): Keys {
  if (record !== null && staged === record.next) return staged;
  throw new StepFailed('KEY_NOT_FOUND', 'the key store does not have the new key');
}

/** A changed manifest, and then the effect at the node's own address. What does not come up is put back. */
function* changeApiServer(
  world: World,
  node: SimulatedNode,
  change: Partial<Disk>,
  effect: () => boolean,
  formerFiles: Partial<Disk> = {},
): Generator<void, void, void> {
  const former = node.disk;
  if (differs(former, change)) {
    const { trusted, signer, refusesNext } = node;
    node.refusesNext = false;
    world.write(node, change);
    world.takeDown(node);
    // It never runs with what it refuses.
    if (refusesNext) Object.assign(node, { trusted, signer });
    yield;
    if (refusesNext && !node.up) {
      node.upAtMs = Infinity;
      world.advance(READY_TIMEOUT_MS);
      world.write(node, { ...formerFiles, trustsNamed: former.trustsNamed, signsNamed: former.signsNamed });
      world.takeDown(node);
      world.advance(world.options.restartMs);
      throw new StepFailed(
        'MANIFEST_REFUSED',
        `${node.name} did not come up with the new manifest and has the former one again`,
      );
    }
  }
  if (!node.up) {
    if (node.upAtMs === Infinity) throw new StepFailed('NODE_UNREACHABLE', `${node.name} is away`, true);
    world.advance(node.upAtMs - world.nowMs);
  }
  if (!effect()) throw new StepFailed('EFFECT_MISSING', `${node.name} does not show the effect of its manifest`);
}

function switchManager(world: World, node: SimulatedNode, managerNamed: boolean): void {
  world.write(node, { managerNamed });
  world.restartManager(node);
  node.managerIsTheirs = false;
}

function restoreManager(world: World, node: SimulatedNode): Doing {
  return atOnce(() => {
    if (node.disk.managerNamed) switchManager(world, node, false);
  });
}

/** By the name of the action. */
export const NODE_ACTIONS: Readonly<Record<NodeActionType, (world: World, node: SimulatedNode) => Doing>> = {
  backUp: (world, node) =>
    atOnce(() => {
      if (!node.disk.backUp) world.write(node, { backUp: true });
    }),
  removeBackUp: (world, node) =>
    atOnce(() => {
      if (node.disk.backUp) world.write(node, { backUp: false });
    }),
  *trust(world, node) {
    const next = loadKey(world);
    const { publishedAt, keyMissingAt } = world.record?.milestones ?? {};
    if (
      world.options.served &&
      publishedAt !== undefined &&
      keyMissingAt === undefined &&
      (node.trusted & next) === 0
    ) {
      world.saveMilestones({ keyMissingAt: world.workerTime() });
      yield;
    }
    if (node.disk.namedPub !== next) world.write(node, { namedPub: next });
    yield;
    yield* changeApiServer(world, node, { trustsNamed: true }, () => (node.trusted & next) !== 0);
  },
  *distrust(world, node) {
    if (node.disk.signsNamed) throw new StepFailed('GUARD_FAILED', `${node.name} still signs with the key`);
    if (world.options.served) world.saveMilestones({ publishedAt: undefined, keyMissingAt: undefined });
    yield* changeApiServer(world, node, { trustsNamed: false }, () => true);
    yield;
    if (node.disk.managerNamed) world.write(node, { namedPub: 0 });
    else if (node.disk.namedPub !== 0 || node.disk.namedKey !== 0) world.write(node, { namedPub: 0, namedKey: 0 });
  },
  *sign(world, node) {
    if (!node.disk.trustsNamed) throw new StepFailed('GUARD_FAILED', `${node.name} does not trust the key`);
    const next = loadKey(world);
    if (node.signer === FORMER && world.record?.milestones.verifiedAt !== undefined) {
      world.saveMilestones({ otherSignerAt: world.workerTime() });
    }
    if (node.disk.namedKey !== next) world.write(node, { namedKey: next });
    yield;
    yield* changeApiServer(world, node, { signsNamed: true }, () => node.signer === next);
  },
  *signWithFormer(world, node) {
    world.saveMilestones({ verifiedAt: undefined, otherSignerAt: undefined });
    yield;
    yield* changeApiServer(world, node, { signsNamed: false }, () => node.signer === FORMER);
    yield;
    if (!node.disk.managerNamed && node.disk.namedKey !== 0) world.write(node, { namedKey: 0 });
  },
  switchControllerManager: (world, node) =>
    atOnce(() => {
      if (node.disk.namedKey === 0) throw new StepFailed('KEY_NOT_FOUND', `the private key is not on ${node.name}`);
      if (node.disk.managerNamed) return;
      switchManager(world, node, true);
    }),
  restoreControllerManager: restoreManager,
  settleControllerManager: restoreManager,
  *untrust(world, node) {
    const { disk } = node;
    const next = loadKey(world);
    if (!disk.signsNamed && disk.key !== next)
      throw new StepFailed('GUARD_FAILED', `${node.name} does not sign with the new key`);
    world.saveMilestones({ untrustingAt: world.record?.milestones.untrustingAt ?? world.workerTime() });
    yield;
    if ((disk.pub & next) === 0 || disk.key !== next)
      world.write(node, { pub: (disk.pub & ~FORMER) | next, key: next });
    yield;
    const isDone = () => node.signer === next && (node.trusted & FORMER) === 0;
    const formerPair = { pub: disk.pub | FORMER, key: FORMER };
    yield* changeApiServer(world, node, { trustsNamed: false, signsNamed: false }, isDone, formerPair);
  },
};
