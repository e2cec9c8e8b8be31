// What a run of any kind does around its plan: answers from the first moment on, refuses, and writes the audit record.
import { ActivityFailure, ApplicationFailure, CancellationScope, setHandler, workflowInfo } from '@temporalio/workflow';
import type { Preflight, RotationInput } from '../activities/contract.ts';
import type { AuditRecord } from '../rotation/audit.ts';
import type { RotationStatus } from '../rotation/status.ts';
import { Journal, now } from './journal.ts';
import { statusQuery } from './messages.ts';
import { listenToDecisions } from './operator.ts';
import { OperatorNews } from './operator-news.ts';
import { RotationRun } from './rotation-run.ts';
import { SearchIndex } from './search-attributes.ts';

/** @param prepare Preflight: takes the lock, observes, makes the plan */
export async function runFromPreflight(
  input: RotationInput,
  prepare: (input: RotationInput) => Promise<Preflight>,
): Promise<AuditRecord> {
  const journal = new Journal();
  let run: RotationRun | null = null;
  let before = statusWithoutPlan(input.cluster ?? '', 'preflight');
  // Before the first activity: an update that comes while Preflight runs is refused with a sentence, and the query answers.
  setHandler(statusQuery, () => run?.standing.status() ?? before, {
    description: 'Phase, steps, waits, keys and what can be decided now',
  });
  listenToDecisions(() => run?.operator ?? null);

  journal.enter('Preflight');
  const startedAt = now();
  const preflight = await observe(input, prepare);
  if (preflight.outcome === 'locked') {
    new SearchIndex(preflight.searchable).show({ cluster: preflight.cluster, outcome: 'not-started' });
    before = statusWithoutPlan(preflight.cluster, 'ended');
    return notStarted(input, preflight, journal);
  }
  journal.did({ id: 'preflight', phase: 'Preflight' }, startedAt, {
    changed: true,
    proof: 'observed without a blocker',
    at: now(),
  });
  const rotation = new RotationRun(preflight, journal);
  run = rotation;
  return rotation.run((outcome) => ({
    // In the order in which it is read: the Temporal UI shows the first lines of it.
    version: 1,
    cluster: preflight.cluster,
    outcome,
    keys: rotation.standing.keys(),
    rotationId: preflight.rotationId,
    takenUp: preflight.takenUp,
    ...heading(input, preflight.startedBy, journal),
    plannedWaits: rotation.standing.plan.waits,
    ...issuersOf(preflight),
    decisions: rotation.operator.decisions,
    probes: rotation.probes.counts,
    legacyTokens: rotation.standing.legacyTokens,
    slowClients: rotation.standing.slowClients,
    notes: preflight.warnings,
  }));
}

/** A refusal fails the workflow under its own code, not as a failed activity. */
async function observe(
  input: RotationInput,
  prepare: (input: RotationInput) => Promise<Preflight>,
): Promise<Preflight> {
  try {
    return await prepare(input);
  } catch (error) {
    if (!(error instanceof ActivityFailure && error.cause instanceof ApplicationFailure)) throw error;
    await tellRefusal(input.cluster ?? '', error.cause.message);
    throw error.cause;
  }
}

/** Who started it may be a schedule, which reads no failures. */
async function tellRefusal(cluster: string, reason: string): Promise<void> {
  await CancellationScope.nonCancellable(() =>
    new OperatorNews().tellLast({
      state: 'refused',
      cluster,
      rotationId: '',
      phase: 'Preflight',
      reason,
      possible: [],
    }),
  );
}

function statusWithoutPlan(cluster: string, state: 'preflight' | 'ended'): RotationStatus {
  return {
    cluster,
    rotationId: '',
    state,
    phase: 'Preflight',
    keys: [],
    steps: [],
    wait: null,
    held: null,
    waits: null,
    possible: [],
    gkectl: null,
    legacyTokens: null,
    slowClients: null,
  };
}

function issuersOf({ plan: { migration } }: Extract<Preflight, { outcome: 'ready' }>): Pick<AuditRecord, 'issuers'> {
  return migration === undefined ? {} : { issuers: { from: migration.from, to: migration.to } };
}

function notStarted(
  input: RotationInput,
  locked: Extract<Preflight, { outcome: 'locked' }>,
  journal: Journal,
): AuditRecord {
  return {
    version: 1,
    cluster: locked.cluster,
    outcome: 'not-started',
    notes: [locked.message],
    ...heading(input, locked.startedBy, journal),
    rotationId: '',
    takenUp: false,
    keys: [],
    plannedWaits: null,
    decisions: [],
    probes: null,
    legacyTokens: null,
    slowClients: null,
  };
}

function heading(input: RotationInput, startedBy: string, journal: Journal) {
  const { workflowId, runId } = workflowInfo();
  return {
    reason: input.reason ?? '',
    requestedBy: input.requestedBy ?? '',
    startedBy,
    workflowId,
    runId,
    startedAt: journal.startedAt,
    endedAt: now(),
    phases: journal.phases(),
    steps: journal.steps,
    waits: journal.waits,
    holds: journal.holds,
  };
}
