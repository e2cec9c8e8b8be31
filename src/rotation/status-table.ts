// A rotation's status as the short markdown that the Temporal UI shows as current details.
import { describeKeyLayout } from './key-layout.ts';
import { summarizeLegacyTokens } from './legacy-token-report.ts';
import { PHASES, type Phase } from './phase.ts';
import { describeSlowClients } from './slow-clients.ts';
import type { RotationStatus, StepState, StepStatus } from './status.ts';

/** Failures may tell a lot; the whole message stands in the status. */
const MAX_MESSAGE_LENGTH = 1000;

const MARKS = { todo: '', running: '...', done: 'done', undone: 'taken back' } as const;

/** A few KB at the most: one row a phase, nodes by their steps. */
export function statusTable(status: RotationStatus): string {
  const lines = [`**${status.cluster}** ${status.state} in **${status.phase}**`, ''];
  if (status.held)
    lines.push(`Held at \`${status.held.step}\` since ${status.held.since}: ${shorten(status.held.message)}`, '');
  if (status.wait)
    lines.push(`Waiting: ${status.wait.reason}${status.wait.until ? ` (until ${status.wait.until})` : ''}`, '');
  for (const line of [...needsOfFormerKey(status), ...waysOfTheCluster(status)]) lines.push(line, '');
  if (status.possible.length > 0) lines.push(`Possible now: ${status.possible.join(', ')}`, '');
  lines.push('| phase | steps |', '|---|---|');
  for (const phase of PHASES) {
    const steps = status.steps.filter((step) => step.phase === phase);
    lines.push(`| ${phase} | ${phaseCell(phase, steps, status)} |`);
  }
  lines.push('', '| role | key |', '|---|---|');
  // In this order: the Temporal UI leaves no room between columns.
  for (const key of status.keys) lines.push(`| ${key.role} | \`${key.kid}\` (version ${key.version}) |`);
  return lines.join('\n');
}

/** Who still needs the former key, as far as a step has looked. */
export function needsOfFormerKey({ legacyTokens, slowClients }: Pick<RotationStatus, 'legacyTokens' | 'slowClients'>) {
  return [
    ...(legacyTokens && legacyTokens.secrets.length > 0
      ? [shorten(capitalized(summarizeLegacyTokens(legacyTokens)))]
      : []),
    ...(slowClients ? [shorten(capitalized(describeSlowClients(slowClients)))] : []),
  ];
}

/** What this cluster makes impossible, and how its nodes keep their keys. */
export function waysOfTheCluster({ limits, keyLayout }: Pick<RotationStatus, 'limits' | 'keyLayout'>) {
  return [...(limits ?? []), ...(keyLayout === undefined ? [] : [`Key layout: ${describeKeyLayout(keyLayout)}`])];
}

function capitalized(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}

function phaseCell(phase: Phase, steps: readonly StepStatus[], status: RotationStatus): string {
  if (steps.length === 0) return phase === 'Preflight' && status.state !== 'preflight' ? 'done' : '';
  const state = commonState(steps);
  if (state !== null) return MARKS[state];
  const parts = Map.groupBy(steps, ({ id }) => id.split('/').at(-1) ?? id);
  // A node that is done in part is under way.
  return [...parts].map(([name, of]) => `${name} ${MARKS[commonState(of) ?? 'running']}`.trim()).join(', ');
}

function commonState(steps: readonly StepStatus[]): StepState | null {
  const [first, ...others] = steps;
  return first !== undefined && others.every(({ state }) => state === first.state) ? first.state : null;
}

function shorten(text: string): string {
  return text.length <= MAX_MESSAGE_LENGTH ? text : `${text.slice(0, MAX_MESSAGE_LENGTH)} ...`;
}
