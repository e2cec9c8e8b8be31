// Reads from an API server's audit log who used tokens that should have been reloaded. Pure.
import { SECOND_MS } from './duration.ts';
import type { StaleTokenUse } from './slow-clients.ts';

/** Set by the API server's authenticator: `subject: system:serviceaccount:NS:NAME, seconds after warning threshold: N`. */
const ANNOTATION = 'authentication.k8s.io/stale-token';
const VALUE = /^subject: (\S+), seconds after warning threshold: (\d+)$/;

/** An extended token is to be reloaded after the 3607 s that its pod asked for (WarnOnlyBoundTokenExpirationSeconds of Kubernetes). */
const WARN_AFTER_MS = 3607 * SECOND_MS;

interface AuditEvent {
  /** The same at each stage of a request. */
  readonly auditID?: unknown;
  readonly requestReceivedTimestamp?: unknown;
  readonly annotations?: Readonly<Record<string, unknown>>;
}

export interface AuditLogPart {
  /** ms since the epoch, of the first request in it; null where there is none. */
  readonly fromMs: number | null;
  readonly uses: readonly StaleTokenUse[];
}

/** @param text the end of a log in JSON lines; a first line that is cut off is passed over, and so is what is no audit event */
export function readAuditLog(text: string): AuditLogPart {
  let fromMs: number | null = null;
  const uses = new Map<unknown, StaleTokenUse>();
  for (const line of text.split('\n')) {
    const isOfInterest = line.includes(ANNOTATION);
    if (fromMs !== null && !isOfInterest) continue;
    const event = parseEvent(line);
    const receivedMs = Date.parse(String(event?.requestReceivedTimestamp));
    if (event === null || Number.isNaN(receivedMs)) continue;
    fromMs ??= receivedMs;
    const [, subject, seconds] = VALUE.exec(String(event.annotations?.[ANNOTATION])) ?? [];
    if (subject === undefined) continue;
    uses.set(event.auditID, {
      subject,
      usedAtMs: receivedMs,
      issuedAtMs: receivedMs - Number(seconds) * SECOND_MS - WARN_AFTER_MS,
    });
  }
  return { fromMs, uses: [...uses.values()] };
}

function parseEvent(line: string): AuditEvent | null {
  try {
    const event: unknown = JSON.parse(line);
    return typeof event === 'object' ? event : null;
  } catch {
    return null;
  }
}
