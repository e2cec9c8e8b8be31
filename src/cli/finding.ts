// What doctor finds: one line each.
import { isGrpcServiceError, ServiceError } from '@temporalio/client';
import { KeyturnError } from '../errors.ts';

/** `warn`: not wrong, but not proven to be right either; it does not change the exit code. */
export type Level = 'ok' | 'warn' | 'fail';

export interface Finding {
  readonly level: Level;
  /** What was checked. */
  readonly what: string;
  /** What was found, and what to do. */
  readonly found: string;
}

export function ok(what: string, found: string): Finding {
  return { level: 'ok', what, found };
}

export function warn(what: string, found: string): Finding {
  return { level: 'warn', what, found };
}

export function fail(what: string, found: string): Finding {
  return { level: 'fail', what, found };
}

/** What `look` finds; an error that Keyturn knows, or that Temporal answers, becomes a finding. */
export async function check(what: string, look: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof KeyturnError) return [fail(what, `${error.message} [${error.code}]`)];
    if (error instanceof ServiceError && error.cause instanceof Error) return [fail(what, error.cause.message)];
    if (error instanceof ServiceError || isGrpcServiceError(error)) return [fail(what, error.message)];
    throw error;
  }
}

export function renderFindings(findings: readonly Finding[]): string {
  const marks: Readonly<Record<Level, string>> = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' };
  return findings.map(({ level, what, found }) => `${marks[level]} ${what}: ${found}`).join('\n');
}
