// Metrics of the worker for Prometheus: those of Temporal's SDK and our own come out of one port.
import { Runtime } from '@temporalio/worker';
import { KeyturnError } from '../errors.ts';

/** Before anything else of Temporal's worker is made: its runtime exists once in a process. @throws METRICS_UNAVAILABLE */
export function serveMetrics(bindAddress: string): void {
  try {
    Runtime.install({
      telemetryOptions: { metrics: { prometheus: { bindAddress, useSecondsForDurations: true, unitSuffix: true } } },
    });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new KeyturnError('METRICS_UNAVAILABLE', `Metrics cannot be served at ${bindAddress} (${why})`, {
      subject: bindAddress,
      remedy: 'Choose another metrics.bindAddress in keyturn.yaml, or end what listens there',
      cause,
    });
  }
}
