// The plan where the platform orders trust and signing: we hand over or ask, publish, watch, verify, wait, and tell when to forget.
import { publishesFirst, type ManagedCapabilities } from './capabilities.ts';
import { formatDuration } from './duration.ts';
import { comparePhases, PHASES, type Phase } from './phase.ts';
import type { Plan, PlanInput, Step } from './plan.ts';
import { probePodSteps } from './probe-pod-plan.ts';
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
 * The safest order that the platform leaves:
 * 1. Where the new key is ours and so is the JWKS, it is public for the longest cache time before the platform gets it, as in a staged plan.
 *    Else it is published the moment it is seen, and the cache wait comes after it.
 * 2. Where the platform keeps the former key until it is told, it is told only after the drain, and after the JWKS has forgotten that key.
 * 3. Where there is no way back, no step has an undo from the moment on at which the platform begins.
 */
export function managedPlan(
  input: PlanInput,
  capabilities: ManagedCapabilities,
): Pick<Plan, 'probed' | 'pointOfNoReturn' | 'unpausable' | 'steps'> {
  const probePod = probePodSteps(input.probePod);
  const keepsFormer = capabilities.formerKey === 'kept-until-told';
  const steps: readonly Step[] = [
    capabilities.newKey === 'supplied' ? STAGE_KEY : RECORD_ROTATION,
    ...(keepsFormer ? probePod.staging : []),
    ...(publishesFirst(capabilities) ? publishSteps(input) : []),
    begin(capabilities),
    FOLLOW,
    ...(publishesFirst(capabilities) ? [] : [waitAfterSwitch(input)]),
    VERIFY,
    ...probePod.verifying,
    ...(keepsFormer
      ? [
          REFRESH,
          ...probePod.refreshing,
          ...restartSteps(input),
          ...drainSteps(input),
          ...(capabilities.publishing === 'ours' ? [PRUNE_KEY] : []),
          forgetFormer(capabilities),
        ]
      : []),
    RETIRE,
  ];
  const firstOfPlatform = begin(capabilities).phase;
  return {
    probed: probedPhases(capabilities),
    pointOfNoReturn: capabilities.rollBack ? 'Untrusting' : firstOfPlatform,
    unpausable: PHASES.filter(
      (phase) =>
        comparePhases(phase, firstOfPlatform) >= 0 && (!capabilities.pause || comparePhases(phase, 'Signing') <= 0),
    ),
    steps: capabilities.rollBack ? steps : steps.map((step) => withoutUndoFrom(firstOfPlatform, step)),
  };
}

/** Where the platform makes the key there is none to stage: the rotation is written down all the same, so that another run can take it up. */
const RECORD_ROTATION: Step = {
  id: 'record-rotation',
  phase: 'Staging',
  summary: "Write the rotation down in the cluster's Lease",
  action: { type: 'recordRotation' },
  guards: [],
  undo: null,
};

/** From here on the platform acts by itself, trust first and then signing, so that taking it back is two steps with the drain between them. */
function begin(capabilities: ManagedCapabilities): Step {
  if (capabilities.newKey === 'made-by-platform') {
    return {
      id: 'begin-rotation',
      phase: 'Signing',
      summary: 'Tell the platform to make a new key and to sign with it',
      action: { type: 'beginRotation' },
      guards: [],
      undo: null,
    };
  }
  return {
    id: 'hand-over-key',
    phase: 'Trusting',
    summary: 'Hand the new key over to the platform; keep the former pair for the way back',
    action: { type: 'beginRotation' },
    guards: publishesFirst(capabilities) ? ['nextStaged', 'nextIsPublic', 'cachesExpired'] : ['nextStaged'],
    undo: {
      action: { type: 'forgetNext' },
      guards: ['nobodySignsWithNext', 'nextDrained', 'noLegacyTokensOfNext'],
      summary: 'Let the platform forget the new key',
    },
  };
}

const FOLLOW: Step = {
  id: 'follow-rotation',
  phase: 'Signing',
  summary: 'Follow the platform until every API server signs with the new key',
  action: { type: 'followRotation' },
  guards: [],
  undo: {
    action: { type: 'takeBackRotation' },
    guards: ['everyoneTrustsFormer', 'formerIsPublic', 'cachesExpired'],
    summary: 'Hand the former key over to the platform again; follow it until every API server signs with it',
  },
};

/** It counts from the moment at which the new key was public. */
function waitAfterSwitch({ relyingPartyCacheMs }: PlanInput): Step {
  return {
    id: 'wait-for-relying-parties',
    phase: 'Signing',
    summary: `Wait ${formatDuration(relyingPartyCacheMs)} until every relying party has the new key`,
    action: { type: 'wait', wait: 'relyingParties' },
    guards: ['nextIsPublic'],
    undo: null,
  };
}

function forgetFormer({ publishing }: ManagedCapabilities): Step {
  return {
    id: 'forget-former',
    phase: 'Untrusting',
    summary: 'Let the platform forget the former key; follow it until every API server has',
    action: { type: 'forgetFormer' },
    guards: [
      'drained',
      'everyoneSignsWithNext',
      // A JWKS that the platform serves forgets the key by this step.
      ...(publishing === 'ours' ? (['formerIsNotPublic'] as const) : []),
      'noLegacyTokensOfFormer',
    ],
    undo: null,
  };
}

/** Where the new key cannot be public in time, relying parties refuse its tokens for a while: that is known, and no reason to hold. */
function probedPhases(capabilities: ManagedCapabilities): Plan['probed'] {
  if (capabilities.formerKey === 'forgotten-by-itself') return [];
  return [
    [publishesFirst(capabilities) ? 'Publishing' : 'Verifying', 'Refreshing'],
    ['Pruning', 'Untrusting'],
  ];
}

function withoutUndoFrom(phase: Phase, step: Step): Step {
  return comparePhases(step.phase, phase) < 0 ? step : { ...step, undo: null };
}
