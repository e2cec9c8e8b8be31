// What of a staged plan differs where the API servers serve the issuer themselves: trusting publishes, and forgetting prunes.
import { formatDuration } from './duration.ts';
import type { PlanInput, Step } from './plan.ts';

export function isServed({ capabilities, publishing }: PlanInput): boolean {
  return capabilities.ordering === 'staged' && publishing === 'by-trusting';
}

/** For the plan, the status and the audit record. */
export const PUBLISHED_BY_TRUSTING =
  'The API servers serve the JWKS themselves: the new key becomes public by being trusted, so relying parties are waited for after Trusting; the former key leaves the JWKS in Untrusting.';

/**
 * Nobody signs with the key before it has been public for the longest cache time, which counts from the last API server that trusts it: until
 * then a relying party may be answered by one that does not show it.
 */
export function servedPublishSteps({ relyingPartyCacheMs }: PlanInput): readonly Step[] {
  return [
    {
      id: 'publish-key',
      phase: 'Trusting',
      summary: 'See that every API server serves the new key, and that the public URL shows it',
      action: { type: 'publishKey' },
      guards: ['everyoneTrustsNext'],
      // The JWKS forgets the key as each API server does.
      undo: null,
    },
    {
      id: 'wait-for-relying-parties',
      phase: 'Trusting',
      summary: `Wait ${formatDuration(relyingPartyCacheMs)} until every relying party has the new key`,
      action: { type: 'wait', wait: 'relyingParties' },
      guards: ['nextIsPublic'],
      undo: null,
    },
  ];
}

export const PROVE_UNUSED: Step = {
  id: 'prune-key',
  phase: 'Pruning',
  summary: 'Prove once more that nobody signs with the former key; the JWKS forgets it in the next phase',
  action: { type: 'pruneKey' },
  guards: ['drained', 'everyoneSignsWithNext', 'nextIsPublic', 'noLegacyTokensOfFormer'],
  undo: {
    action: { type: 'republishFormer' },
    guards: ['formerIsPublic'],
    summary: 'Count the former key as needed again; the JWKS never forgot it',
  },
};
