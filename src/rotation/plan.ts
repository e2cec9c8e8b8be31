// The plan of a rotation: ordered steps with guards and undo, as data. The workflow interprets it, `keyturn plan` prints it.
import type { Capabilities } from './capabilities.ts';
import { drainSummary, type DrainComputation } from './drain.ts';
import { formatDuration } from './duration.ts';
import type { GuardName } from './guards.ts';
import type { ChosenKeyLayout } from './key-layout.ts';
import type { RefreshWait } from './kubelet-refresh.ts';
import type { LegacyTokenReport } from './legacy-token-report.ts';
import type { Phase } from './phase.ts';
import { probePodSteps, type ProbePodPlan } from './probe-pod-plan.ts';
import { releaseBeforeWaits } from './release-nodes.ts';
import { titleOf, type WorkloadName } from './workload.ts';

/** What can be done to all of a cluster in one step. */
export type ClusterActionType =
  | 'stageKey'
  | 'releaseNodes'
  | 'discardKey'
  | 'publishKey'
  | 'withdrawKey'
  | 'verify'
  | 'startProbePod'
  | 'removeProbePod'
  | 'verifyWithPod'
  | 'provePodRefresh'
  | 'refresh'
  | 'restoreLegacyTokens'
  | 'settleLegacyTokens'
  | 'pruneKey'
  | 'republishFormer'
  | 'retire';

/** What is done to one node at a time. */
export type NodeActionType =
  | 'backUp'
  | 'removeBackUp'
  | 'trust'
  | 'distrust'
  | 'sign'
  | 'signWithFormer'
  | 'switchControllerManager'
  | 'restoreControllerManager'
  | 'untrust'
  | 'settleControllerManager';

/**
 * Waits take no worker: they are durable timers. `drainNext` is part of a roll back: the drain of the new key's tokens; `kubelet` is over at
 * once where the probe pod's token is one of the new key already.
 */
export type WaitType = 'relyingParties' | 'drain' | 'drainNext' | 'kubelet';

export type Action =
  | { readonly type: ClusterActionType }
  | { readonly type: NodeActionType; readonly node: string }
  | { readonly type: 'restartWorkload'; readonly workload: WorkloadName }
  | { readonly type: 'wait'; readonly wait: WaitType };

/** What takes a step back. */
export interface Undo {
  readonly summary: string;
  readonly action: Action;
  readonly guards: readonly GuardName[];
}

export interface Step {
  /** Unique in the plan and stable, e.g. `trust/node-1`. */
  readonly id: string;
  readonly phase: Phase;
  /** One line for people, shown on the timeline. */
  readonly summary: string;
  readonly action: Action;
  /** What must be true when the step starts, each time it starts. */
  readonly guards: readonly GuardName[];
  /** What takes the step back; null where there is nothing to take back. */
  readonly undo: Undo | null;
}

/** The waits, with their length and why. ms. */
export interface PlannedWaits {
  readonly relyingParties: { readonly ms: number; readonly explanation: string };
  readonly drain: DrainComputation;
  /** Where a probe pod is to be shown with a refreshed token. */
  readonly kubelet?: RefreshWait;
}

export interface Plan {
  /** Of this data's shape. */
  readonly version: 1;
  readonly nodes: readonly string[];
  readonly waits: PlannedWaits;
  /** Phases in which token probes run beside the steps, from the first to the last named. */
  readonly probed: readonly (readonly [Phase, Phase])[];
  /** From this phase on there is no way back. */
  readonly pointOfNoReturn: Phase;
  readonly steps: readonly Step[];
  /** As Preflight saw them; absent in plans of before this was looked for. */
  readonly legacyTokens?: LegacyTokenReport;
  /** How the nodes are changed; absent in plans of before there was a choice. */
  readonly keyLayout?: ChosenKeyLayout;
}

export interface PlanInput {
  readonly capabilities: Capabilities;
  /** Control-plane nodes in the order in which they are changed. */
  readonly nodes: readonly string[];
  readonly relyingPartyCacheMs: number;
  readonly drain: DrainComputation;
  /** Null where none is configured. */
  readonly probePod: ProbePodPlan | null;
  /** Restarted in Refreshing, one after the other. Default: none. */
  readonly restarts?: readonly WorkloadName[];
  readonly legacyTokens?: LegacyTokenReport;
  readonly keyLayout?: ChosenKeyLayout;
}

/**
 * The one order in which a rotation is safe. Why it is this order:
 * every API server and every relying party must know the new key before the first token is signed with it (invariants 1 and 2), and
 * nobody may forget the former key before the last token signed with it has stopped to matter.
 */
export function makePlan(input: PlanInput): Plan {
  const { nodes } = input;
  const probePod = probePodSteps(input.probePod);
  const onEachNode = (make: (node: string) => Step): Step[] => nodes.map(make);

  const steps: Step[] = [
    {
      id: 'stage-key',
      phase: 'Staging',
      summary: 'Make or import the new key pair into the key store',
      action: { type: 'stageKey' },
      guards: [],
      undo: {
        action: { type: 'discardKey' },
        guards: ['nobodyTrustsNext'],
        summary: 'Delete the new key from the key store',
      },
    },
    ...onEachNode((node) => ({
      id: `back-up/${node}`,
      phase: 'Staging',
      summary: `Back up keys and manifests of ${node}`,
      action: { type: 'backUp', node },
      guards: [],
      undo: { action: { type: 'removeBackUp', node }, guards: [], summary: `Remove the back-up on ${node}` },
    })),
    ...probePod.staging,
    {
      id: 'publish-key',
      phase: 'Publishing',
      summary: 'Add the new key to the public JWKS and read it back at the public URL',
      action: { type: 'publishKey' },
      guards: ['nextStaged'],
      undo: {
        action: { type: 'withdrawKey' },
        guards: ['nobodyTrustsNext'],
        summary: 'Take the new key out of the public JWKS',
      },
    },
    {
      id: 'wait-for-relying-parties',
      phase: 'Publishing',
      summary: `Wait ${formatDuration(input.relyingPartyCacheMs)} until every relying party has the new key`,
      action: { type: 'wait', wait: 'relyingParties' },
      guards: [],
      undo: null,
    },
    ...onEachNode((node) => ({
      id: `trust/${node}`,
      phase: 'Trusting',
      summary: `Let the API server of ${node} trust the new key`,
      action: { type: 'trust', node },
      guards: ['nextIsPublic', 'othersReady'],
      undo: {
        action: { type: 'distrust', node },
        guards: ['nobodySignsWithNext', 'nextDrained', 'noLegacyTokensOfNext', 'othersReady'],
        summary: `Let the API server of ${node} trust the former key alone again`,
      },
    })),
    ...nodes.flatMap((node): Step[] => [
      {
        id: `sign/${node}`,
        phase: 'Signing',
        summary: `Let the API server of ${node} sign with the new key`,
        action: { type: 'sign', node },
        guards: ['everyoneTrustsNext', 'nextIsPublic', 'cachesExpired', 'othersReady'],
        undo: {
          action: { type: 'signWithFormer', node },
          guards: ['everyoneTrustsFormer', 'formerIsPublic', 'cachesExpired', 'othersReady'],
          summary: `Let the API server of ${node} sign with the former key again`,
        },
      },
      {
        id: `switch-controller-manager/${node}`,
        phase: 'Signing',
        summary: `Let the controller manager of ${node} sign with the new key`,
        action: { type: 'switchControllerManager', node },
        guards: ['everyoneTrustsNext'],
        undo: {
          action: { type: 'restoreControllerManager', node },
          guards: ['everyoneTrustsFormer'],
          summary: `Let the controller manager of ${node} sign with the former key again`,
        },
      },
    ]),
    {
      id: 'verify',
      phase: 'Verifying',
      summary: 'Prove that tokens of every API server carry the new key and are accepted everywhere',
      action: { type: 'verify' },
      guards: ['everyoneSignsWithNext', 'nextIsPublic'],
      undo: null,
    },
    ...probePod.verifying,
    {
      id: 'refresh',
      phase: 'Refreshing',
      summary: 'Look for legacy tokens of the former key, and make successors where that is the policy',
      action: { type: 'refresh' },
      guards: ['everyoneSignsWithNext'],
      undo: {
        action: { type: 'restoreLegacyTokens' },
        guards: ['nobodySignsWithNext'],
        summary: 'Remove second Secrets that nobody uses; have the former key sign again what was refreshed in place',
      },
    },
    ...probePod.refreshing,
    ...(input.restarts ?? []).map(restartStep),
    {
      id: 'drain',
      phase: 'Draining',
      summary: drainSummary(input.drain),
      action: { type: 'wait', wait: 'drain' },
      guards: [],
      undo: null,
    },
    {
      id: 'settle-legacy-tokens',
      phase: 'Draining',
      summary: 'Look whether anybody still needs a token of the former key',
      action: { type: 'settleLegacyTokens' },
      guards: ['drained', 'everyoneSignsWithNext'],
      // What it has minted anew is restored with what Refreshing has.
      undo: null,
    },
    {
      id: 'prune-key',
      phase: 'Pruning',
      summary: 'Take the former key out of the public JWKS',
      action: { type: 'pruneKey' },
      guards: ['drained', 'everyoneSignsWithNext', 'nextIsPublic', 'noLegacyTokensOfFormer'],
      undo: {
        action: { type: 'republishFormer' },
        guards: [],
        summary: 'Publish the former key again',
      },
    },
    ...nodes.flatMap((node): Step[] => [
      {
        id: `untrust/${node}`,
        phase: 'Untrusting',
        summary: `Let the API server of ${node} forget the former key; bring the new pair to its place`,
        action: { type: 'untrust', node },
        guards: ['drained', 'everyoneSignsWithNext', 'formerIsNotPublic', 'noLegacyTokensOfFormer', 'othersReady'],
        undo: null,
      },
      {
        id: `settle-controller-manager/${node}`,
        phase: 'Untrusting',
        summary: `Let the controller manager of ${node} read the new key at its former place`,
        action: { type: 'settleControllerManager', node },
        guards: [],
        undo: null,
      },
    ]),
    {
      id: 'retire',
      phase: 'Retiring',
      summary: 'Remove what the rotation left on the nodes and in the key store',
      action: { type: 'retire' },
      guards: ['nobodyTrustsFormer', 'everyoneSignsWithNext'],
      undo: null,
    },
  ];

  return {
    version: 1,
    nodes,
    waits: {
      relyingParties: {
        ms: input.relyingPartyCacheMs,
        explanation: `relying parties may hold the JWKS for ${formatDuration(input.relyingPartyCacheMs)} (policies.relyingPartyCache)`,
      },
      drain: input.drain,
      ...probePod.waits,
    },
    probed: [
      ['Publishing', 'Refreshing'],
      ['Pruning', 'Untrusting'],
    ],
    pointOfNoReturn: 'Untrusting',
    steps: input.capabilities.nodeAgents === true ? withReleases(steps) : steps,
    ...(input.legacyTokens === undefined ? {} : { legacyTokens: input.legacyTokens }),
    ...(input.keyLayout === undefined ? {} : { keyLayout: input.keyLayout }),
  };
}

/** Its pods come back with tokens of the new key, and reload what they read from Secrets. */
function restartStep(workload: WorkloadName): Step {
  const { namespace, kind, name } = workload;
  return {
    id: `restart/${namespace}/${kind.toLowerCase()}/${name}`,
    phase: 'Refreshing',
    summary: `Restart ${titleOf(workload)} and wait for its rollout`,
    action: { type: 'restartWorkload', workload },
    guards: ['everyoneSignsWithNext'],
    undo: null,
  };
}

function withReleases(steps: readonly Step[]): readonly Step[] {
  const release = (id: string, phase: Phase): Step => ({
    id: `release-nodes/${id}`,
    phase,
    summary: 'Remove the agents with which the nodes were reached',
    action: { type: 'releaseNodes' },
    guards: [],
    undo: null,
  });
  const released = releaseBeforeWaits(steps, ({ id, phase }) => release(id, phase));
  return [...released, release('end', 'Retiring')];
}
