// The steps that are the same whoever orders trust and signing: on the key, on the JWKS, on tokens.
import { drainSummary } from './drain.ts';
import { formatDuration } from './duration.ts';
import type { PlanInput, Step } from './plan.ts';
import { titleOf, type WorkloadName } from './workload.ts';

export const STAGE_KEY: Step = {
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
};

export function publishSteps({ relyingPartyCacheMs }: PlanInput): readonly Step[] {
  return [
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
      summary: `Wait ${formatDuration(relyingPartyCacheMs)} until every relying party has the new key`,
      action: { type: 'wait', wait: 'relyingParties' },
      guards: [],
      undo: null,
    },
  ];
}

export const VERIFY: Step = {
  id: 'verify',
  phase: 'Verifying',
  summary: 'Prove that tokens of every API server carry the new key and are accepted everywhere',
  action: { type: 'verify' },
  guards: ['everyoneSignsWithNext', 'nextIsPublic'],
  undo: null,
};

export const REFRESH: Step = {
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
};

/** Their pods come back with tokens of the new key, and reload what they read from Secrets. */
export function restartSteps({ restarts = [] }: PlanInput): readonly Step[] {
  return restarts.map((workload: WorkloadName) => ({
    id: `restart/${workload.namespace}/${workload.kind.toLowerCase()}/${workload.name}`,
    phase: 'Refreshing',
    summary: `Restart ${titleOf(workload)} and wait for its rollout`,
    action: { type: 'restartWorkload', workload },
    guards: ['everyoneSignsWithNext'],
    undo: null,
  }));
}

export function drainSteps({ drain }: PlanInput): readonly Step[] {
  return [
    {
      id: 'drain',
      phase: 'Draining',
      summary: drainSummary(drain),
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
  ];
}

export const PRUNE_KEY: Step = {
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
};

export const RETIRE: Step = {
  id: 'retire',
  phase: 'Retiring',
  summary: 'Remove what the rotation left on the nodes and in the key store',
  action: { type: 'retire' },
  guards: ['nobodyTrustsFormer', 'everyoneSignsWithNext'],
  undo: null,
};
