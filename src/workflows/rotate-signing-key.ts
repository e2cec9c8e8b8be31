// The workflow: rotates the ServiceAccount signing key of one cluster and returns the audit record.
import type { RotationInput } from '../activities/contract.ts';
import type { AuditRecord } from '../rotation/audit.ts';
import { activities } from './activity-stubs.ts';
import { runFromPreflight } from './run-from-preflight.ts';

/** @param request every field optional; the UI's empty input box sends nothing or null */
export function rotateSigningKey(request?: RotationInput | null): Promise<AuditRecord> {
  const summary = 'Take the lock, observe everything, make the plan';
  return runFromPreflight(request ?? {}, (input) => activities.preflight.executeWithOptions({ summary }, [input]));
}
