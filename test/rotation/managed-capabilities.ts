// What three platforms declare that order trust and signing themselves: one that is handed a key, one that is asked for one, one that cannot be held.
import type { ManagedCapabilities } from '../../src/rotation/capabilities.ts';
import { makePlan } from '../../src/rotation/make-plan.ts';
import type { Plan, PlanInput } from '../../src/rotation/plan.ts';
import { drainOf } from './observed-cluster.ts';

export const HANDED_OVER: ManagedCapabilities = {
  ordering: 'managed',
  newKey: 'supplied',
  publishing: 'ours',
  formerKey: 'kept-until-told',
  rollBack: true,
  pause: true,
  apiServers: 'each',
};

export const ASKED_FOR: ManagedCapabilities = {
  ordering: 'managed',
  newKey: 'made-by-platform',
  publishing: 'ours',
  formerKey: 'kept-until-told',
  rollBack: false,
  pause: true,
  apiServers: 'behind-one-address',
};

export const BY_ITSELF: ManagedCapabilities = {
  ordering: 'managed',
  newKey: 'made-by-platform',
  publishing: 'by-platform',
  formerKey: 'forgotten-by-itself',
  rollBack: false,
  pause: false,
  apiServers: 'each',
};

export function managedPlanOf(
  capabilities: ManagedCapabilities,
  { relyingPartyCacheMs = 3_600_000, ...others }: Partial<PlanInput> = {},
): Plan {
  return makePlan({
    nodes: ['n1', 'n2'],
    drain: drainOf({ policy: 'refreshing' }),
    probePod: null,
    ...others,
    capabilities,
    relyingPartyCacheMs,
  });
}
