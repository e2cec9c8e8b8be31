// Runs one rotation under faults and judges it.
import type { FaultScene } from './fault-scene.ts';
import { judge } from './judge.ts';
import { Trial, type InjectionResult, type OnProgress, type TrialPlan } from './trial.ts';

export interface TrialResult {
  /** RFC 3339 */
  readonly startedAt: string;
  readonly ending: TrialPlan['ending'];
  /** Of the audit record; `not-ended` where none came: then the scene is of no further use. */
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

export async function runTrial(
  world: FaultScene,
  plan: TrialPlan,
  onProgress: OnProgress = () => undefined,
): Promise<TrialResult> {
  const startedAt = Date.now();
  const trial = await Trial.begin(world, plan, onProgress);
  const { outcome, ownProbes, findings } = await endAndJudge(trial);
  const { checks = 0, rejected = 0, unreachable = 0 } = trial.counts() ?? {};
  return {
    startedAt: new Date(startedAt).toISOString(),
    ending: plan.ending,
    outcome,
    injections: trial.results,
    probes: { checks, rejected, unreachable },
    ownProbes,
    apiServerRestarts: world.apiServerRestarts() - trial.before.restarts,
    workersStarted: world.workersStarted - trial.before.workersStarted,
    holds: trial.holds,
    seconds: Math.round((Date.now() - startedAt) / 1000),
    findings,
    notes: [...trial.notes, ...trial.probeRestarts.map((why) => `probes outside began anew: ${why}`)],
  };
}

async function endAndJudge(trial: Trial): Promise<Pick<TrialResult, 'outcome' | 'ownProbes' | 'findings'>> {
  try {
    const audit = await trial.run();
    await trial.world.nextVersion.end();
    const { checks = 0, rejected = 0 } = audit.probes ?? {};
    return { outcome: audit.outcome, ownProbes: { checks, rejected }, findings: await judge(trial, audit) };
  } catch (error) {
    const findings = [`it did not come to its end: ${withCauses(error)}`];
    return { outcome: 'not-ended', ownProbes: { checks: 0, rejected: 0 }, findings };
  }
}

function withCauses(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${withCauses(error.cause)}`;
}
