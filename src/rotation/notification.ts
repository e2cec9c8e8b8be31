// What operators are told outside of Temporal, and in which words.
import type { AuditRecord } from './audit.ts';
import type { Decision } from './decisions.ts';
import type { Phase } from './phase.ts';

/** Someone must decide (`gated`, `held`), or there is nothing left to decide: `refused` is a rotation that Preflight did not let begin. */
export type NotificationState = 'gated' | 'held' | 'completed' | 'rolled-back' | 'refused';

/** Stands in the history: no secrets. */
export interface Notification {
  /** The same at each attempt to deliver it, and no other's. */
  readonly id: string;
  /** RFC 3339 */
  readonly at: string;
  readonly state: NotificationState;
  /** As the request says, where Preflight refused it: may be empty. */
  readonly cluster: string;
  /** Empty where the rotation was refused. */
  readonly rotationId: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly phase: Phase;
  /** What it asks, what is wrong, or how it ended. */
  readonly reason: string;
  readonly possible: readonly Decision[];
}

/** A receiver's own limit may be lower than what a failure has to tell; all of it stands in the status. */
const MAX_REASON_LENGTH = 1000;

const HEADLINES: Readonly<Record<NotificationState, (notification: Notification) => string>> = {
  gated: ({ phase }) => `asks before it goes on in ${phase}`,
  held: ({ phase }) => `is held in ${phase}: someone must decide`,
  completed: () => 'has a new signing key',
  'rolled-back': () => 'was rolled back',
  refused: () => 'may not be rotated now: nothing was changed',
};

/** How a rotation ended, in a sentence. */
export function endingOf({
  outcome,
  keys,
  decisions,
  probes,
}: Pick<AuditRecord, 'outcome' | 'keys' | 'decisions' | 'probes'>): string {
  const active = keys.find(({ role }) => role === 'active')?.kid ?? 'unknown';
  const checked = probes === null ? '' : ` Token probes: ${probes.checks} checks, ${probes.rejected} rejected.`;
  if (outcome === 'completed') return `Tokens are signed with ${active}.${checked}`;
  const why = decisions.findLast(({ decision }) => ['rollBack', 'abort', 'cancel'].includes(decision));
  const decided = why === undefined ? '' : ` Decided by ${why.by}: ${why.reason}`;
  return `Tokens are signed with ${active} as before.${checked}${decided}`;
}

export function shortenReason(reason: string): string {
  return reason.length <= MAX_REASON_LENGTH ? reason : `${reason.slice(0, MAX_REASON_LENGTH)} ...`;
}

/** One or two sentences for a log. */
export function notificationSentence(notification: Notification): string {
  const { cluster, reason } = notification;
  return `${cluster === '' ? 'The cluster' : cluster} ${HEADLINES[notification.state](notification)}. ${reason}`;
}

/** The line of a timeline on which it is told. */
export function notificationSummary({ state, phase }: Pick<Notification, 'state' | 'phase'>): string {
  const said = { gated: `asks in ${phase}`, held: `held in ${phase}`, completed: 'completed' } as const;
  return `Tell operators: ${state === 'rolled-back' ? 'rolled back' : state === 'refused' ? 'refused' : said[state]}`;
}

/**
 * The body that a webhook gets: `text` is what Slack, Mattermost and others show, the rest is for programs.
 * @param link where the rotation is seen in the Temporal UI; null where that is not configured
 */
export function notificationBody(
  notification: Notification,
  link: string | null,
): Readonly<Record<string, unknown>> & { readonly text: string } {
  const { cluster, workflowId, reason, possible } = notification;
  const lines = [
    `*${escapeForChat(cluster === '' ? 'The cluster' : cluster)}* ${HEADLINES[notification.state](notification)}`,
    escapeForChat(reason),
    ...(possible.length === 0 ? [] : [`Possible now: ${possible.join(', ')}`]),
    link === null ? `Workflow: ${escapeForChat(workflowId)}` : `<${link}|${escapeForChat(workflowId)}>`,
  ];
  return { text: lines.join('\n'), version: 1, ...notification, link };
}

/** The three characters that Slack's markup gives a meaning: an error's message must not call a whole channel (`<!channel>`). */
function escapeForChat(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
