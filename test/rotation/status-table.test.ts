import { describe, expect, it } from 'vitest';
import { statusTable } from '../../src/rotation/status-table.ts';
import type { RotationStatus, StepState } from '../../src/rotation/status.ts';
import { planOf } from './observed-cluster.ts';

function status(nodes: readonly string[], states: Readonly<Record<string, StepState>>): RotationStatus {
  const plan = planOf(nodes);
  return {
    cluster: 'prod',
    rotationId: 'abc',
    state: 'running',
    phase: 'Signing',
    keys: [
      { kid: 'former-kid', alg: 'RS256', role: 'active', version: 1 },
      { kid: 'next-kid', alg: 'RS256', role: 'next', version: 2 },
    ],
    steps: plan.steps.map(({ id, phase, summary }) => ({ id, phase, summary, state: states[id] ?? 'todo' })),
    wait: null,
    held: null,
    waits: plan.waits,
    possible: ['pause', 'rollBack'],
    gkectl: null,
    legacyTokens: null,
    slowClients: null,
  };
}

describe('the current details', () => {
  it('show one row a phase, nodes only where they differ', () => {
    const done = ['stage-key', 'back-up/n1', 'back-up/n2', 'publish-key', 'trust/n1', 'trust/n2', 'sign/n1'];
    const states = Object.fromEntries(done.map((id) => [id, 'done' as const]));
    expect(statusTable(status(['n1', 'n2'], { ...states, 'switch-controller-manager/n1': 'running' }))).toBe(
      `**prod** running in **Signing**

Possible now: pause, rollBack

| phase | steps |
|---|---|
| Preflight | done |
| Staging | done |
| Publishing | publish-key done, wait-for-relying-parties |
| Trusting | done |
| Signing | n1 ..., n2 |
| Verifying |  |
| Refreshing |  |
| Draining |  |
| Pruning |  |
| Untrusting |  |
| Retiring |  |

| role | key |
|---|---|
| active | \`former-kid\` (version 1) |
| next | \`next-kid\` (version 2) |`,
    );
  });

  it('say why it is held, and what it waits for', () => {
    const base = status(['n1', 'n2'], { 'trust/n1': 'undone', 'trust/n2': 'undone' });
    const held = statusTable({
      ...base,
      state: 'held',
      held: { since: '2026-01-01T00:00:00Z', step: 'sign/n1', code: 'GUARD_FAILED', message: 'Not so.' },
    });
    expect(held).toContain('Held at `sign/n1` since 2026-01-01T00:00:00Z: Not so.');
    expect(held).toContain('| Trusting | taken back |');
    const waiting = statusTable({ ...base, wait: { reason: '1d = 1d', until: '2026-01-02T00:00:00Z' } });
    expect(waiting).toContain('Waiting: 1d = 1d (until 2026-01-02T00:00:00Z)');
    const gated = statusTable({ ...base, wait: { reason: 'gate', until: null } });
    expect(gated).toContain('Waiting: gate\n');
  });

  it('stay a few KB for seven nodes with long names and a long failure', () => {
    const nodes = [1, 2, 3, 4, 5, 6, 7].map((n) => `ip-10-0-${n}-123.eu-central-1.compute.internal`);
    const mixed = Object.fromEntries(
      planOf(nodes).steps.map(({ id }, index) => [id, (['todo', 'running', 'done', 'undone'] as const)[index % 4]!]),
    );
    const table = statusTable({
      ...status(nodes, mixed),
      held: { since: '2026-01-01T00:00:00Z', step: 'sign/n1', code: 'GUARD_FAILED', message: 'x'.repeat(100_000) },
    });
    expect(Buffer.byteLength(table)).toBeLessThan(4096);
  });
});
