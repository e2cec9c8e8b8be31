// A rotation's status as text for a terminal.
import type { RotationAnswer } from './ask-rotation.ts';
import { formatDuration } from '../rotation/duration.ts';
import { PHASES, type Phase } from '../rotation/phase.ts';
import { needsOfFormerKey, waysOfTheCluster } from '../rotation/status-table.ts';
import type { ProbeCounts } from '../rotation/probe-counts.ts';
import type { RotationStatus, StepStatus } from '../rotation/status.ts';

const MARK = { todo: '·', running: '▶', done: '✓', undone: '↩' } as const;

/** @param nowMs for the time that is left of a wait */
export function renderStatus({ status, probes, retrying }: RotationAnswer, nowMs: number): string {
  const lines = [`${status.cluster}  rotation ${status.rotationId}  ${status.state} in ${status.phase}`];
  for (const { kid, alg, role, version } of status.keys)
    lines.push(`  key ${kid} (${alg}, version ${version})  ${role}`);
  for (const phase of PHASES) lines.push(phaseLine(phase, status));
  if (status.wait !== null) lines.push(`  waiting: ${status.wait.reason}${remaining(status.wait.until, nowMs)}`);
  if (status.held !== null) lines.push(`  HELD at ${status.held.step} (${status.held.code}): ${status.held.message}`);
  for (const line of [...needsOfFormerKey(status), ...waysOfTheCluster(status)]) lines.push(`  ${line}`);
  for (const { activity, attempt, reason } of retrying)
    lines.push(`  trying again: ${activity}, attempt ${attempt}: ${reason}`);
  if (probes !== null) lines.push(`  ${renderProbes(probes)}`);
  if (status.possible.length > 0) lines.push(`  possible now: ${status.possible.join(', ')}`);
  return lines.join('\n');
}

export function renderProbes({ checks, rejected, unreachable }: ProbeCounts): string {
  return `token probes: ${checks} checks, ${rejected} rejected, ${unreachable} unanswered (an API server was restarting)`;
}

function phaseLine(phase: Phase, status: RotationStatus): string {
  const steps = status.steps.filter((step) => step.phase === phase);
  const mark = MARK[steps.length === 0 ? withoutSteps(phase, status) : overall(steps)];
  const nodes = steps.flatMap(({ id, state }) => (id.includes('/') ? [`${MARK[state]} ${id}`] : []));
  return `  ${mark} ${phase.padEnd(11)} ${nodes.join('  ')}`.trimEnd();
}

/** Preflight is no step of the plan; without a plan nothing was done. */
function withoutSteps(phase: Phase, { state, steps }: RotationStatus): StepStatus['state'] {
  if (steps.length > 0) return 'done';
  return phase === 'Preflight' && state === 'preflight' ? 'running' : 'todo';
}

function overall(steps: readonly StepStatus[]): StepStatus['state'] {
  const same = (['todo', 'done', 'undone'] as const).find((state) => steps.every((step) => step.state === state));
  return same ?? 'running';
}

function remaining(until: string | null, nowMs: number): string {
  return until === null ? '' : ` (${formatDuration(Math.max(0, Date.parse(until) - nowMs))} left, until ${until})`;
}
