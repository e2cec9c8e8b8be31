// Rights that only some configurations need: to mint legacy tokens anew, and to restart workloads.
import { rulesOf, type LegacyTokenPolicies } from '../rotation/legacy-tokens.ts';
import type { WorkloadName } from '../rotation/workload.ts';
import type { ResourceRule } from './permissions.ts';
import { resourceOf } from './workload-restart.ts';

/** `deploy/rbac-refresh.yaml` grants them, for the cluster or for the namespaces in which tokens are refreshed. */
export function rulesOfRefresh(policies: LegacyTokenPolicies): readonly ResourceRule[] {
  const rules = rulesOf(policies);
  if (rules.default === 'refresh') return secretRules();
  const refreshed = rules.overrides.filter(({ policy }) => policy === 'refresh');
  return [...new Set(refreshed.map(({ namespace }) => namespace))].flatMap(secretRules);
}

/** @param namespace default: all */
function secretRules(namespace?: string): readonly ResourceRule[] {
  const why = 'to refresh legacy tokens, as policies.legacyTokens asks';
  const file = 'deploy/rbac-refresh.yaml';
  return (['create', 'get', 'patch', 'delete'] as const).map((verb) => ({
    verb,
    group: '',
    resource: 'secrets',
    ...(namespace === undefined ? {} : { namespace }),
    why,
    file,
  }));
}

/** `deploy/rbac-restarts.yaml` shows how to grant them by name. */
export function rulesOfRestarts(workloads: readonly WorkloadName[]): readonly ResourceRule[] {
  return workloads.flatMap(({ namespace, kind, name }) =>
    (['get', 'patch'] as const).map((verb) => ({
      verb,
      group: 'apps',
      resource: resourceOf(kind),
      namespace,
      name,
      why: 'to restart it, as policies.restartWorkloads asks',
      file: 'deploy/rbac-restarts.yaml',
    })),
  );
}
