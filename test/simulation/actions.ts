// What each action does to the simulated world, in the order in which the real one does it. It can be left at every `yield`: a worker dies there.
import {
  fateOf,
  isUntouchedSuccessor,
  mayBeCleared,
  needsSuccessor,
  type LegacyTokenUse,
} from '../../src/rotation/legacy-tokens.ts';
import type { LegacyToken } from '../../src/rotation/observation.ts';
import type { IssuerActionType } from '../../src/rotation/issuer-migration.ts';
import type { Action } from '../../src/rotation/plan.ts';
import { atOnce, type Doing } from './doing.ts';
import { FORMER, keyOf, kidOf, type Keys } from './keys.ts';
import { MANAGED_ACTIONS } from './managed-actions.ts';
import { NODE_ACTIONS } from './node-actions.ts';
import { StepFailed } from './step-failed.ts';
import type { World } from './world.ts';

type ClusterAction = (world: World) => Doing;
type ClusterActionType = Exclude<Exclude<Action, { node: string } | { type: 'wait' }>['type'], IssuerActionType>;

/** @throws StepFailed while it is gone through */
export function perform(world: World, action: Exclude<Action, { type: 'wait' }>): Doing {
  if (!('node' in action)) {
    if (!isOfKeys(action.type)) throw new RangeError(`${action.type}: issuers are not simulated`);
    return CLUSTER_ACTIONS[action.type](world);
  }
  const node = world.node(action.node);
  node.hasAgent = true;
  return NODE_ACTIONS[action.type](world, node);
}

function isOfKeys(type: ClusterActionType | IssuerActionType): type is ClusterActionType {
  return type in CLUSTER_ACTIONS;
}

function nextOf({ record }: World): Keys {
  if (record === null) throw new StepFailed('LOCK_LOST', 'the Lease has no record of the rotation');
  return record.next;
}

/** Reads, and writes over exactly what was read. True if the document was another one. */
function* editJwks(world: World, edit: (keys: Keys) => Keys): Generator<void, boolean, void> {
  for (;;) {
    const { jwksVersion, jwks } = world;
    yield;
    if (world.jwksVersion !== jwksVersion) continue;
    world.publish(edit(jwks));
    return world.jwks !== jwks;
  }
}

/** Trusting has published it. */
function* confirmServed(world: World): Doing {
  if ((world.jwksAsSeen & nextOf(world)) === 0) {
    throw new StepFailed('EFFECT_MISSING', 'the public URL does not show what every API server trusts', true);
  }
  yield;
  const { publishedAt: before, keyMissingAt } = world.record?.milestones ?? {};
  const publishedAt = (keyMissingAt === undefined ? before : undefined) ?? world.workerTime();
  world.saveMilestones({ publishedAt, keyMissingAt: undefined });
  return { at: publishedAt };
}

/** The leading controller manager fills a Secret. */
function proveManager(world: World, expected: Keys): void {
  if (world.leader.managerSigner === expected) return;
  throw new StepFailed('TOKEN_REJECTED', `the controller manager of ${world.leader.name} signs with another key`);
}

const useOf = ({ record }: World): LegacyTokenUse => {
  const { verifiedAt } = record?.milestones ?? {};
  return { switchedAtMs: verifiedAt === undefined ? null : Date.parse(verifiedAt), trackedSince: '2020-01-01' };
};
const today = (world: World) => world.workerTime().slice(0, 10);
const ofFormer = ({ kid }: LegacyToken) => kid === kidOf(FORMER);

const CLUSTER_ACTIONS: Readonly<Record<ClusterActionType, ClusterAction>> = {
  ...MANAGED_ACTIONS,
  *stageKey(world) {
    if (world.staged === 0) world.staged = world.makeKey();
    yield;
    world.record ??= { next: world.staged, milestones: {} };
  },
  discardKey: (world) =>
    atOnce(() => {
      world.staged = 0;
    }),
  *publishKey(world) {
    if (world.options.served) return yield* confirmServed(world);
    if (world.staged !== nextOf(world))
      throw new StepFailed('KEY_NOT_FOUND', 'the key store does not have the new key');
    const both = FORMER | nextOf(world);
    if (world.record?.milestones.publishedAt !== undefined && (world.jwks & both) !== both) {
      world.saveMilestones({ keyMissingAt: world.workerTime() });
      yield;
    }
    const changed = yield* editJwks(world, (keys) => keys | both);
    yield;
    const { publishedAt: before, keyMissingAt } = world.record?.milestones ?? {};
    const publishedAt = (changed || keyMissingAt !== undefined ? undefined : before) ?? world.workerTime();
    world.saveMilestones({ publishedAt, keyMissingAt: undefined });
    return { at: publishedAt };
  },
  *withdrawKey(world) {
    yield* editJwks(world, (keys) => keys & ~nextOf(world));
    yield;
    world.saveMilestones({ publishedAt: undefined, keyMissingAt: undefined });
  },
  *verify(world) {
    const next = nextOf(world);
    for (const { name, up, signer, trusted } of world.nodes) {
      if (!up) throw new StepFailed('API_SERVER_UNREACHABLE', `${name} does not answer`, true);
      if (signer !== next || (trusted & next) === 0)
        throw new StepFailed('TOKEN_REJECTED', `the token of ${name} is another one`);
    }
    if ((world.jwks & next) === 0) throw new StepFailed('TOKEN_REJECTED', 'a relying party does not know the new key');
    yield;
    const { verifiedAt: before, otherSignerAt } = world.record?.milestones ?? {};
    const verifiedAt = (otherSignerAt === undefined ? before : undefined) ?? world.workerTime();
    world.saveMilestones({ verifiedAt, otherSignerAt: undefined });
    return { at: verifiedAt };
  },
  startProbePod: (world) =>
    atOnce(() => {
      if (world.podWasRefreshed || world.pod !== null) return;
      const key = world.anySigner();
      if (key !== FORMER) throw new StepFailed('POD_TOO_LATE', 'the pod was started too late');
      world.pod = { key, mintedMs: world.nowMs };
    }),
  *removeProbePod(world) {
    world.podWasRefreshed = false;
    yield;
    world.pod = null;
  },
  verifyWithPod: (world) =>
    atOnce(() => {
      if (world.anySigner() !== nextOf(world))
        throw new StepFailed('TOKEN_REJECTED', 'a new pod gets a token of another key');
      const { pod } = world;
      if (pod === null || pod.key === nextOf(world)) return;
      return { at: world.workerTime(), podTokenSince: new Date(pod.mintedMs).toISOString() };
    }),
  *provePodRefresh(world) {
    if (!world.podWasRefreshed && world.pod?.key !== nextOf(world)) {
      throw new StepFailed('TOKEN_NOT_REFRESHED', 'the pod from before does not hold a token of the new key');
    }
    world.podWasRefreshed = true;
    yield;
    world.pod = null;
  },
  *refresh(world) {
    const due = world.secrets
      .observe(today(world))
      .filter(ofFormer)
      .filter((token) => needsSuccessor(token, world.secrets.policies(), useOf(world)));
    if (due.length > 0) proveManager(world, nextOf(world));
    for (const { name } of due) {
      world.secrets.makeSuccessor(name, world.leader.managerSigner);
      yield;
    }
  },
  *restoreLegacyTokens(world) {
    const observed = world.secrets.observe(today(world));
    for (const token of observed.filter((each) => isUntouchedSuccessor(each, useOf(world)))) {
      world.secrets.remove(token.name);
      yield;
    }
    const reminted = observed.filter(
      ({ rotationId, successorOf, kid }) => rotationId !== null && successorOf === null && keyOf(kid) === nextOf(world),
    );
    if (reminted.length > 0) proveManager(world, FORMER);
    for (const { name } of reminted) world.secrets.remint(name, FORMER, false);
  },
  *settleLegacyTokens(world) {
    world.secrets.move();
    const policies = world.secrets.policies();
    const clearable = world.secrets
      .observe(today(world))
      .filter(ofFormer)
      .filter((token) => mayBeCleared(token, policies, useOf(world)));
    if (clearable.length > 0) proveManager(world, nextOf(world));
    for (const { name } of clearable) {
      world.secrets.remint(name, world.leader.managerSigner, true);
      yield;
    }
    const left = world.secrets.observe(today(world)).filter(ofFormer);
    if (left.some((token) => fateOf(token, policies, useOf(world)) === 'holds')) {
      throw new StepFailed('LEGACY_TOKENS_IN_USE', 'a token in a Secret of the former key is in use');
    }
    if (world.slowClientKey === FORMER)
      throw new StepFailed('SLOW_CLIENTS', 'a client goes on with a token of the former key');
  },
  *pruneKey(world) {
    proveManager(world, nextOf(world));
    if (!world.options.served) yield* editJwks(world, (keys) => keys & ~FORMER);
    yield;
    const prunedAt = world.record?.milestones.prunedAt ?? world.workerTime();
    world.saveMilestones({ prunedAt, keyMissingAt: undefined, otherSignerAt: undefined });
  },
  *republishFormer(world) {
    const { served } = world.options;
    if (!served) yield* editJwks(world, (keys) => keys | FORMER);
    yield;
    world.saveMilestones({ prunedAt: undefined });
    const at = served ? world.record?.milestones.publishedAt : world.workerTime();
    return at === undefined ? undefined : { at };
  },
  restartWorkload: (world) =>
    atOnce(() => {
      if (world.slowClientKey !== 0) world.slowClientKey = world.anySigner();
    }),
  releaseNodes: (world) =>
    atOnce(() => {
      for (const node of world.nodes) node.hasAgent = false;
    }),
  *retire(world) {
    world.saveMilestones({ untrustedAt: world.record?.milestones.untrustedAt ?? world.workerTime() });
    yield;
    for (const node of world.nodes) {
      const { trustsNamed, signsNamed, managerNamed } = node.disk;
      if (trustsNamed || signsNamed || managerNamed)
        throw new StepFailed('GUARD_FAILED', `a manifest of ${node.name} names a file that was to be removed`);
      world.write(node, { namedPub: 0, namedKey: 0, backUp: false });
      yield;
    }
    world.staged = 0;
  },
};
