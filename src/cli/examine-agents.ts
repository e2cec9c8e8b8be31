// What doctor tells of agent pods: those that nobody needs any more, and how to be rid of them.
import type { Held } from '../cluster-lock/port.ts';
import type { NodeAgents, PresentAgent } from '../nodes/port.ts';
import { formatDuration } from '../rotation/duration.ts';
import { ok, warn, type Finding } from './finding.ts';

/** `keyturn plan` and `keyturn doctor` may be looking at this moment, on another machine. */
const LOOKING_MS = 300_000;

/**
 * Those of rotations are in use while one runs, whichever has made them: it takes over what it finds.
 * @param what the cluster, as in the other findings
 */
export async function examineAgents(
  agents: Pick<NodeAgents, 'present'> | null,
  held: Held | null,
  what: string,
  nowMs: number,
): Promise<readonly Finding[]> {
  if (agents === null) return [];
  const about = `${what}: agent pods`;
  const present = await agents.present();
  const isUsed = ({ purpose, createdAt }: PresentAgent): boolean =>
    purpose.startsWith('rotation-') ? held !== null : nowMs - Date.parse(createdAt) < LOOKING_MS;
  const left = present.filter((agent) => !isUsed(agent));
  if (left.length > 0) return left.map((agent) => warn(about, sentenceOf(agent, nowMs)));
  const used = present.map(({ name, purpose }) => `${name} (${purpose})`).join(', ');
  return [ok(about, present.length === 0 ? 'none' : `in use: ${used}`)];
}

function sentenceOf({ name, namespace, node, purpose, createdAt }: PresentAgent, nowMs: number): string {
  const age = formatDuration(Math.max(0, nowMs - Date.parse(createdAt)));
  return `${name} was left on ${node} by ${purpose} ${age} ago; the next rotation removes it, or: kubectl -n ${namespace} delete pod ${name}`;
}
