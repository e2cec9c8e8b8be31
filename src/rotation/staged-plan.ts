// The plan where trust and signing are ours to order, node by node.
import type { Phase } from './phase.ts';
import type { Plan, PlanInput, Step } from './plan.ts';
import { probePodSteps } from './probe-pod-plan.ts';
import { releaseBeforeWaits } from './release-nodes.ts';
import { isServed, PROVE_UNUSED, servedPublishSteps } from './served-issuer-plan.ts';
import {
  drainSteps,
  PRUNE_KEY,
  publishSteps,
  REFRESH,
  restartSteps,
  RETIRE,
  STAGE_KEY,
  VERIFY,
} from './shared-steps.ts';

/**
 * The one order in which a rotation is safe. Why it is this order:
 * every API server and every relying party must know the new key before the first token is signed with it (invariants 1 and 2), and
 * nobody may forget the former key before the last token signed with it has stopped to matter.
 */
export function stagedPlan(input: PlanInput): Pick<Plan, 'probed' | 'pointOfNoReturn' | 'steps'> {
  const { nodes, capabilities } = input;
  const probePod = probePodSteps(input.probePod);
  const served = isServed(input);
  const inOrder: readonly Step[] = [
    STAGE_KEY,
    ...nodes.map(backUp),
    ...probePod.staging,
    ...(served ? [] : publishSteps(input)),
    ...nodes.map((node) => trust(node, served)),
    ...(served ? servedPublishSteps(input) : []),
    ...nodes.flatMap(sign),
    VERIFY,
    ...probePod.verifying,
    REFRESH,
    ...probePod.refreshing,
    ...restartSteps(input),
    ...drainSteps(input),
    served ? PROVE_UNUSED : PRUNE_KEY,
    ...nodes.flatMap((node) => untrust(node, served)),
    RETIRE,
  ];
  const steps = inOrder.map(knowingAllNodes);
  return {
    probed: [
      [served ? 'Trusting' : 'Publishing', 'Refreshing'],
      ['Pruning', 'Untrusting'],
    ],
    pointOfNoReturn: 'Untrusting',
    steps: capabilities.ordering === 'staged' && capabilities.nodeAgents === true ? withReleases(steps) : steps,
  };
}

/** Of phases that need every API server. The way back needs them where the new key is forgotten: one that is not known may sign with it. */
const NEED_ALL_NODES: readonly Phase[] = ['Trusting', 'Signing', 'Verifying', 'Pruning', 'Untrusting', 'Retiring'];

function knowingAllNodes(step: Step): Step {
  if (!NEED_ALL_NODES.includes(step.phase) || step.action.type === 'wait') return step;
  const { undo } = step;
  return {
    ...step,
    guards: [...step.guards, 'noUnknownApiServer'],
    undo:
      undo !== null && step.action.type === 'trust'
        ? { ...undo, guards: [...undo.guards, 'noUnknownApiServer'] }
        : undo,
  };
}

function backUp(node: string): Step {
  return {
    id: `back-up/${node}`,
    phase: 'Staging',
    summary: `Back up keys and manifests of ${node}`,
    action: { type: 'backUp', node },
    guards: [],
    undo: { action: { type: 'removeBackUp', node }, guards: [], summary: `Remove the back-up on ${node}` },
  };
}

/** @param served the key is not public before it is trusted: trusting it is what makes it public */
function trust(node: string, served: boolean): Step {
  return {
    id: `trust/${node}`,
    phase: 'Trusting',
    summary: `Let the API server of ${node} trust the new key`,
    action: { type: 'trust', node },
    guards: [served ? 'nextStaged' : 'nextIsPublic', 'othersReady'],
    undo: {
      action: { type: 'distrust', node },
      guards: ['nobodySignsWithNext', 'nextDrained', 'noLegacyTokensOfNext', 'othersReady'],
      summary: `Let the API server of ${node} trust the former key alone again`,
    },
  };
}

function sign(node: string): readonly Step[] {
  return [
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
  ];
}

/** @param served the JWKS forgets the former key by this very step */
function untrust(node: string, served: boolean): readonly Step[] {
  return [
    {
      id: `untrust/${node}`,
      phase: 'Untrusting',
      summary: `Let the API server of ${node} forget the former key; bring the new pair to its place`,
      action: { type: 'untrust', node },
      guards: [
        'drained',
        'everyoneSignsWithNext',
        ...(served ? [] : (['formerIsNotPublic'] as const)),
        'noLegacyTokensOfFormer',
        'othersReady',
      ],
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
  ];
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
