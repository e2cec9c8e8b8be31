// Token probes beside the steps: one activity that runs from the first phase of a span to its last.
import { ActivityFailure, CancellationScope, isCancellation, patched, TimeoutFailure } from '@temporalio/workflow';
import type { ProbeInput } from '../activities/contract.ts';
import { mergeCounts, type ProbeCounts } from '../rotation/probe-counts.ts';
import { probes } from './activity-stubs.ts';
import { failureOf, type Failure } from './failure.ts';

export class ProbeSpan {
  private readonly input: ProbeInput;
  private scope: CancellationScope | null = null;
  private finished: Promise<void> = Promise.resolve();
  /** Of all spans so far. */
  counts: ProbeCounts | null = null;
  /** Set when probing ended by itself: a token was rejected, or probing is impossible. Probes rest until it is forgiven. */
  failure: Failure | null = null;

  constructor(input: ProbeInput) {
    this.input = input;
  }

  /** Nothing happens if probes run already, or failed. Call it where the workflow's own cancellation does not reach. */
  start(): void {
    if (this.scope !== null || this.failure !== null) return;
    this.scope = new CancellationScope();
    this.finished = this.run(this.scope);
  }

  /** Someone has decided to go on. */
  forgive(): void {
    this.failure = null;
  }

  async stop(): Promise<void> {
    this.scope?.cancel();
    await this.finished;
  }

  private async run(scope: CancellationScope): Promise<void> {
    const summary = 'Probe tokens at every API server and relying party';
    try {
      this.add(await scope.run(() => probes.probeTokens.executeWithOptions({ summary }, [this.input])));
    } catch (error) {
      if (scope.consideredCancelled && isCancellation(error)) return;
      const lost = lostWorker(error);
      // Since 0.1.0: rotations that were held by it stay held.
      if (scope.consideredCancelled && lost !== null && patched('probes-lost-while-they-end')) {
        if (isProbeCounts(lost.lastHeartbeatDetails)) this.add(lost.lastHeartbeatDetails);
        return;
      }
      this.fail(failureOf(error));
    } finally {
      this.scope = null;
    }
  }

  private fail(failure: Failure): void {
    this.failure = failure;
    const counts = failure.details.find(isProbeCounts);
    if (counts !== undefined) this.add(counts);
  }

  private add(counts: ProbeCounts): void {
    this.counts = mergeCounts(this.counts, counts);
  }
}

/** Null where something else went wrong. What was asked to end is not given to another worker: its time-out is all that comes. */
function lostWorker(error: unknown): TimeoutFailure | null {
  return error instanceof ActivityFailure && error.cause instanceof TimeoutFailure ? error.cause : null;
}

/** A failure's details are whatever the worker's version of the activity put there. */
function isProbeCounts(value: unknown): value is ProbeCounts {
  return typeof value === 'object' && value !== null && 'checks' in value && 'byParty' in value;
}
