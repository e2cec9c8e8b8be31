// Every query and update of a rotation: what a client may ask and what an operator may decide.
import { defineQuery, defineUpdate } from '@temporalio/workflow';
import type { Decision } from '../rotation/decisions.ts';
import type { DrainPolicy } from '../rotation/drain.ts';
import type { RotationStatus } from '../rotation/status.ts';

export interface DecisionInput {
  /** Required: stands in the audit record. */
  readonly reason: string;
  /** Who decides; as the sender says. */
  readonly by?: string;
}

export interface ChangeDrainInput extends DecisionInput {
  readonly drain: DrainPolicy;
}

export const statusQuery = defineQuery<RotationStatus>('status');

export const pauseUpdate = defineUpdate<string, [DecisionInput]>('pause');
export const resumeUpdate = defineUpdate<string, [DecisionInput]>('resume');
export const approveUpdate = defineUpdate<string, [DecisionInput]>('approve');
export const retryUpdate = defineUpdate<string, [DecisionInput]>('retry');
export const rollBackUpdate = defineUpdate<string, [DecisionInput]>('rollBack');
export const changeDrainUpdate = defineUpdate<string, [ChangeDrainInput]>('changeDrain');
export const abortUpdate = defineUpdate<string, [DecisionInput]>('abort');

/** Shown in the dialogs of the Temporal UI. */
export const DESCRIPTIONS: Readonly<Record<Decision, string>> = {
  pause: 'Stop before the next step. The step under way is completed; waits go on. Send {"reason": "..."}.',
  resume: 'Go on after a pause. Send {"reason": "..."}.',
  approve: 'Let the rotation pass the gate at which it asks. Send {"reason": "..."}.',
  retry: 'Try the held step again, after what kept it was mended. Send {"reason": "..."}.',
  rollBack: 'Take every step back, the last first. Possible until Untrusting begins. Send {"reason": "..."}.',
  changeDrain:
    'Change how long Draining waits. Send {"reason": "...", "drain": {"policy": "fixed", "durationMs": 172800000}}; ' +
    'shorter than computed needs "allowShorter": "why" in it.',
  abort:
    'Give up safely: rolls back where that is possible, else finishes forward and says so. Send {"reason": "..."}.',
};
