// The end of a rotation: the audit record is kept outside of Temporal, the cluster remembers the outcome, the lock is given back.
import { mkdir, open, rename } from 'node:fs/promises';
import path from 'node:path';
import type { Holder } from '../cluster-lock/port.ts';
import { KeyturnError } from '../errors.ts';
import type { StepControl } from '../platforms/port.ts';
import type { AuditRecord } from '../rotation/audit.ts';
import type { ClusterAdapters } from './cluster-adapters.ts';

export interface Conclusion {
  readonly adapters: ClusterAdapters;
  readonly holder: Holder;
  readonly auditDirectory: string;
  readonly audit: AuditRecord;
  readonly control: StepControl;
}

export async function conclude({ adapters, holder, auditDirectory, audit, control }: Conclusion): Promise<void> {
  // Whatever has happened, nobody stays behind in the cluster.
  await adapters.nodeAgents?.release();
  await writeAuditRecord(auditDirectory, audit);
  // A step that died may have left something that no later step looked for.
  await adapters.probePods?.removeAll(control);
  const { record } = await adapters.lock.read();
  if (record?.rotationId === audit.rotationId && audit.outcome !== 'not-started') {
    await adapters.lock.save(holder, { ...record, ended: { at: audit.endedAt, outcome: audit.outcome } });
  }
  await adapters.lock.release(holder, { keepRecord: true });
}

/** Temporal deletes histories after the retention time; an auditor asks later. */
async function writeAuditRecord(directory: string, audit: AuditRecord): Promise<void> {
  const file = path.join(directory, `${audit.cluster}-${audit.startedAt.replaceAll(':', '')}-${audit.rotationId}.json`);
  try {
    await mkdir(directory, { recursive: true });
    const temporary = await open(`${file}.tmp`, 'w', 0o640);
    try {
      await temporary.writeFile(`${JSON.stringify(audit, null, 2)}\n`);
      await temporary.sync();
    } finally {
      await temporary.close();
    }
    await rename(`${file}.tmp`, file);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new KeyturnError('FILE_UNREADABLE', `The audit record ${file} cannot be written (${why})`, {
      subject: file,
      remedy: 'Make auditDirectory writable for the worker: the record is then written and the lock given back',
      retryable: true,
      cause,
    });
  }
}
