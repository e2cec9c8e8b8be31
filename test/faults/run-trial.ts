// Runs one rotation under faults and judges it.
import type { FaultScene } from './fault-scene.ts';
import { judge } from './judge.ts';
import { Trial, type InjectionResult, type TrialPlan } from './trial.ts';

export interface TrialResult {
  /** RFC 3339 */
  readonly startedAt: string;
  readonly ending: TrialPlan['ending'];
  readonly outcome: string;
  readonly injections: readonly InjectionResult[];
  /** Checks outside of Keyturn. */
  readonly probes: { readonly checks: number; readonly rejected: number; readonly unreachable: number };
  /** Checks of the worker's own probes. */
  readonly ownProbes: { readonly checks: number; readonly rejected: number };
  readonly apiServerRestarts: number;
  readonly workersStarted: number;
  readonly holds: readonly string[];
  readonly seconds: number;
  /** Empty where everything is as it must be. */
  readonly findings: readonly string[];
  readonly notes: readonly string[];
}

export async function runTrial(world: FaultScene, plan: TrialPlan): Promise<TrialResult> {
  const startedAt = Date.now();
  const trial = await Trial.begin(world, plan);
  const audit = await trial.run();
  await world.nextVersion.end();
  const findings = await judge(trial, audit);
  const { checks = 0, rejected = 0, unreachable = 0 } = trial.counts() ?? {};
  return {
    startedAt: new Date(startedAt).toISOString(),
    ending: plan.ending,
    outcome: audit.outcome,
    injections: trial.results,
    probes: { checks, rejected, unreachable },
    ownProbes: { checks: audit.probes?.checks ?? 0, rejected: audit.probes?.rejected ?? 0 },
    apiServerRestarts: world.apiServerRestarts() - trial.before.restarts,
    workersStarted: world.workersStarted - trial.before.workersStarted,
    holds: trial.holds,
    seconds: Math.round((Date.now() - startedAt) / 1000),
    findings,
    notes: [...trial.notes, ...trial.probeRestarts.map((why) => `probes outside began anew: ${why}`)],
  };
}
