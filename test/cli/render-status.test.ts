// A rotation's status in a terminal: what it waits for, what is wrong, and what can be decided.
import { expect, test } from 'vitest';
import type { RotationAnswer } from '../../src/cli/ask-rotation.ts';
import { renderStatus } from '../../src/cli/render-status.ts';
import { reportLegacyTokens } from '../../src/rotation/legacy-token-report.ts';
import type { RotationStatus } from '../../src/rotation/status.ts';
import { legacyToken } from '../rotation/observed-cluster.ts';

const NOW_MS = Date.parse('2026-11-23T12:00:00Z');

const STATUS: RotationStatus = {
  cluster: 'prod',
  rotationId: 'abc',
  state: 'running',
  phase: 'Trusting',
  keys: [
    { kid: 'old', alg: 'RS256', role: 'active', version: 1 },
    { kid: 'new', alg: 'RS256', role: 'next', version: 2 },
  ],
  steps: [
    { id: 'publish-key', phase: 'Publishing', summary: '', state: 'done' },
    { id: 'trust/node-1', phase: 'Trusting', summary: '', state: 'done' },
    { id: 'trust/node-2', phase: 'Trusting', summary: '', state: 'running' },
  ],
  wait: null,
  held: null,
  waits: null,
  possible: ['pause', 'rollBack'],
  gkectl: null,
  legacyTokens: null,
  slowClients: null,
};

function render(status: Partial<RotationStatus>, answer: Partial<RotationAnswer> = {}): string {
  return renderStatus({ status: { ...STATUS, ...status }, probes: null, retrying: [], ...answer }, NOW_MS);
}

test('names the keys with their roles, the nodes of a phase, and what can be decided', () => {
  const text = render({});
  expect(text).toContain('key old (RS256, version 1)  active');
  expect(text).toContain('▶ Trusting    ✓ trust/node-1  ▶ trust/node-2');
  expect(text).toContain('possible now: pause, rollBack');
});

test.for<[string, Partial<RotationStatus>, Partial<RotationAnswer>, string]>([
  [
    'a wait, with what is left of it',
    { wait: { reason: 'caches', until: '2026-11-23T13:30:00Z' } },
    {},
    'waiting: caches (1h 30m left, until 2026-11-23T13:30:00Z)',
  ],
  [
    'a hold, with its code',
    { held: { since: '', step: 'trust/node-2', code: 'MANIFEST_REFUSED', message: 'the former manifest is back' } },
    {},
    'HELD at trust/node-2 (MANIFEST_REFUSED): the former manifest is back',
  ],
  [
    'transient trouble, with the attempt',
    {},
    { retrying: [{ activity: 'publishKey', attempt: 4, reason: 'the store does not answer' }] },
    'trying again: publishKey, attempt 4: the store does not answer',
  ],
  [
    'who still needs the former key',
    {
      legacyTokens: reportLegacyTokens({
        observed: {
          tokens: [legacyToken('ci', 'old', { lastUsed: '2026-11-23' })],
          trackedSince: '2026-01-01',
          referencesUnknown: null,
        },
        policies: 'hold',
        formerKid: 'old',
        rotationId: 'abc',
        switchedAtMs: NOW_MS,
      }),
    },
    {},
    'Legacy tokens: 1 keeps the former key (default/ci)',
  ],
  [
    'clients that do not reload',
    {
      slowClients: {
        since: '2026-11-23T12:00:00Z',
        increases: [{ node: 'node-1', uses: 3, atLeast: false }],
        auditLogs: [],
        clients: [],
        leftOut: 0,
      },
    },
    {},
    'Requests with tokens that their clients did not reload, since 2026-11-23T12:00:00Z: node-1 3',
  ],
])('tells %s', ([, status, answer, line]) => {
  expect(render(status, answer)).toContain(line);
});

test('a run that never had a plan has done nothing', () => {
  expect(render({ state: 'ended', steps: [], phase: 'Preflight' })).not.toContain('✓');
});
