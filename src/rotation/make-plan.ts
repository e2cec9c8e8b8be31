// Makes the plan of a rotation from what the platform can do and what was observed.
import { limitsOf } from './capabilities.ts';
import { formatDuration } from './duration.ts';
import { managedPlan } from './managed-plan.ts';
import type { Plan, PlanInput } from './plan.ts';
import { probePodSteps } from './probe-pod-plan.ts';
import { isServed, PUBLISHED_BY_TRUSTING } from './served-issuer-plan.ts';
import { stagedPlan } from './staged-plan.ts';

/** The plan that a rotation started now would follow. */
export function makePlan(input: PlanInput): Plan {
  const { capabilities } = input;
  const served = isServed(input);
  const limits = [...limitsOf(capabilities), ...(served ? [PUBLISHED_BY_TRUSTING] : [])];
  return {
    version: 1,
    nodes: input.nodes,
    waits: {
      relyingParties: {
        ms: input.relyingPartyCacheMs,
        explanation: `relying parties may hold the JWKS for ${formatDuration(input.relyingPartyCacheMs)} (policies.relyingPartyCache)`,
        ...(input.shorterCacheBecause === undefined ? {} : { override: input.shorterCacheBecause }),
      },
      drain: input.drain,
      ...probePodSteps(input.probePod).waits,
    },
    ...(capabilities.ordering === 'staged' ? stagedPlan(input) : managedPlan(input, capabilities)),
    ...(served ? { publishing: 'by-trusting' } : {}),
    ...(limits.length === 0 ? {} : { limits }),
    ...(input.legacyTokens === undefined ? {} : { legacyTokens: input.legacyTokens }),
    ...(input.keyLayout === undefined ? {} : { keyLayout: input.keyLayout }),
  };
}
