// A rotation as an operator sees it who goes on asking while Temporal or every worker is away.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import type { RotationHandle } from '../../src/cli/temporal.ts';
import type { AuditRecord } from '../../src/rotation/audit.ts';
import type { RotationStatus } from '../../src/rotation/status.ts';
import { pauseUpdate, resumeUpdate, statusQuery } from '../../src/workflows/messages.ts';

/** How often is looked: a step takes a second or more. */
export const POLL_MS = 150;

export class DrivenRotation {
  readonly #handle: RotationHandle;
  /** ms since the epoch */
  readonly #giveUpAt: number;

  constructor(handle: RotationHandle, giveUpAt: number) {
    this.#handle = handle;
    this.#giveUpAt = giveUpAt;
  }

  /** Undefined while nobody answers. */
  async status(): Promise<RotationStatus | undefined> {
    return this.#handle.query(statusQuery).catch(() => undefined);
  }

  async isHeld(): Promise<boolean> {
    return (await this.status())?.state === 'held';
  }

  async hasEnded(): Promise<boolean> {
    return (await this.#handle.describe()).status.name !== 'RUNNING';
  }

  result(): Promise<AuditRecord> {
    return this.#handle.result();
  }

  /** Codes of the last failures of the step that is tried again just now; probes beside it are not looked at. */
  async pendingFailures(): Promise<readonly string[]> {
    const { raw } = await this.#handle.describe();
    return (raw.pendingActivities ?? []).flatMap(({ activityType, lastFailure }) => {
      if (activityType?.name === 'probeTokens') return [];
      const code = lastFailure?.applicationFailureInfo?.type ?? lastFailure?.timeoutFailureInfo?.timeoutType;
      return code == null ? [] : [String(code)];
    });
  }

  /** Which version of the worker did the last workflow task; undefined where versions are off. */
  async buildId(): Promise<string | undefined> {
    const { raw } = await this.#handle.describe();
    return raw.workflowExecutionInfo?.versioningInfo?.deploymentVersion?.buildId ?? undefined;
  }

  /** Before the next step. */
  async pause(): Promise<void> {
    await this.decide(pauseUpdate, 'a fault is to come');
  }

  async resume(): Promise<void> {
    await this.decide(resumeUpdate, 'the fault is over');
  }

  /** @throws where the rotation refuses it */
  async decide(decision: typeof pauseUpdate, reason: string): Promise<void> {
    for (const updateId = randomUUID(); ; await sleep(POLL_MS)) {
      try {
        await this.#handle.executeUpdate(decision, { args: [{ reason }], updateId });
        return;
      } catch (error) {
        if (error instanceof WorkflowUpdateFailedError || Date.now() > this.#giveUpAt) throw error;
      }
    }
  }
}
