import { expect, it } from 'vitest';
import { judgePod } from '../../../src/nodes/pod/agent-state.ts';

const NOW = Date.parse('2026-11-27T09:54:00Z');

function waitingFor(reason: string, message: string) {
  return {
    metadata: { name: 'keyturn-agent-node-1', creationTimestamp: '2026-11-27T09:53:00Z' },
    status: { phase: 'Pending', containerStatuses: [{ state: { waiting: { reason, message } } }] },
  };
}

it.each([
  // Seen on a real kubelet whose node had just rebooted.
  ['CreateContainerConfigError', 'services have not yet been read at least once, cannot construct envvars'],
  ['CreateContainerError', 'context deadline exceeded'],
  ['RunContainerError', 'context deadline exceeded'],
  ['ImagePullBackOff', 'Back-off pulling image'],
  ['ContainerCreating', ''],
])('an agent pod whose container waits with %s may start yet', (reason, message) => {
  const lack = [reason, message].filter(Boolean).join(': ');
  expect(judgePod(waitingFor(reason, message), NOW)).toEqual({ state: 'starts', lack });
});

it.each(['InvalidImageName', 'ErrImageNeverPull'])(
  'an agent pod whose container waits with %s will not start',
  (reason) => {
    expect(judgePod(waitingFor(reason, 'as configured'), NOW)).toEqual({
      state: 'broken',
      reason: `${reason}: as configured`,
    });
  },
);
