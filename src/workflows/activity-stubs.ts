// How the workflow calls activities: timeouts, retries, and which failures are for a person to decide.
import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { RotationActivities } from '../activities/contract.ts';

/**
 * Transient trouble (an API server or the object store away, the worker gone) is retried without end, and is visible as a pending activity;
 * what cannot mend itself comes as a non-retryable ApplicationFailure and holds the rotation.
 * Heartbeats tell within 20 s that a worker died; a step that restarts an API server may take minutes.
 */
export const activities = proxyActivities<RotationActivities>({
  startToCloseTimeout: '1 hour',
  heartbeatTimeout: '20 s',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '1 s', backoffCoefficient: 2, maximumInterval: '30 s' },
});

/** A receiver that is away is tried again for a day, at first at once and then every ten minutes. */
export const notifier = proxyActivities<Pick<RotationActivities, 'notify'>>({
  startToCloseTimeout: '30 s',
  scheduleToCloseTimeout: '1 day',
  retry: { initialInterval: '1 s', backoffCoefficient: 2, maximumInterval: '10 m' },
});

/** Probes run as long as the steps beside them: at a gate or a hold that can be weeks. */
export const probes = proxyActivities<Pick<RotationActivities, 'probeTokens'>>({
  startToCloseTimeout: '370 days',
  heartbeatTimeout: '20 s',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '1 s', backoffCoefficient: 2, maximumInterval: '30 s' },
});
